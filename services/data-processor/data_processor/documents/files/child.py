"""The process that decodes: `python -m data_processor.documents.files.child <descriptor>`, started by `decoder`.

It sends `started`. Then, until the socket closes, it reads a request (JSON) and a file, and answers with JSON and
bytes.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

import orjson

from data_processor.documents.files import image, page_picture, page_reading, pdf, thumbnail
from data_processor.documents.files.broken import BrokenFileError
from data_processor.documents.files.page_reading import Wanted

_MEMORY_MAX = 2 * 1024**3
"""Address space in bytes: a few times the largest image that is accepted."""

_NOTES_MAX = 1024**2
"""Size in bytes of any file that it writes: it only writes notes, to standard error."""

_ONE_THREAD = {"OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"}

_GRACE_S = 5
"""Time over a task's limit after which the process ends itself."""

Answer = tuple[dict[str, Any], bytes]


def inspect(request: dict[str, Any], data: bytes) -> Answer:
    """Return the size of each page, and what is damaged."""
    if request["media_type"] == "application/pdf":
        found = pdf.measure(data, request["max_pages"])
    else:
        found = image.measure(data, request["media_type"], request["max_pixels"], request["max_pages"])
    return found._asdict(), b""


def shrink(request: dict[str, Any], data: bytes) -> Answer:
    """Return a thumbnail of the first page."""
    if request["media_type"] == "application/pdf":
        picture = pdf.thumbnail(data, thumbnail.BOX)
    else:
        picture = image.page(data, request["media_type"], 1, request["max_pixels"], thumbnail.BOX)
    return {}, thumbnail.encoded(picture)


def draw(request: dict[str, Any], data: bytes) -> Answer:
    """Return a picture of a page, at the width asked for; an image is not enlarged."""
    number, (width, height) = request["page"], page_picture.within(request["width"], request["ratio"])
    if request["media_type"] == "application/pdf":
        picture = pdf.render(data, number, width, page_picture.PIXELS_MAX)
    else:
        # The page may lie on its side in the file, so both of its sides get the longer length first.
        square = max(width, height), max(width, height)
        picture = image.page(data, request["media_type"], number, request["max_pixels"], square)
        picture.thumbnail((width, height))
    return {}, page_picture.encoded(picture)


def read_page(request: dict[str, Any], data: bytes) -> Answer:
    """Return the text of a page: see read_words.PageReading."""
    found = page_reading.read(data, request["media_type"], Wanted(**request["page"]), request["max_pixels"])
    return dict(found), b""


_TASKS = {"inspect": inspect, "shrink": shrink, "draw": draw, "read_page": read_page}


def main(descriptor: int) -> None:
    """Answer requests until the connection closes."""
    # Before Tesseract and numpy are imported: there are as many children as should compute at a time.
    os.environ |= _ONE_THREAD
    # Some systems have no such limit. The time limit applies there, too.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_MAX, _MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_NOTES_MAX, _NOTES_MAX))
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, ConnectionError):
        connection.send_bytes(b"started")
        while True:
            request = orjson.loads(connection.recv_bytes())
            data = connection.recv_bytes()
            # Ends a task that takes too long, even if the parent process has ended.
            signal.alarm(math.ceil(request["timeout_s"]) + _GRACE_S)
            try:
                answer, attachment = _TASKS[request["task"]](request, data)
            except BrokenFileError as error:
                answer, attachment = {"reason": str(error), "code": error.code, "cause": error.cause}, b""
            finally:
                signal.alarm(0)
            connection.send_bytes(orjson.dumps(answer))
            connection.send_bytes(attachment)


if __name__ == "__main__":
    main(int(sys.argv[1]))
