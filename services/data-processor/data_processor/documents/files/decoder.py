"""Decode uploaded files in child processes with limits of time and memory.

A PDF of two kilobytes can contain a million drawings, a JPEG a thousand passes, and decoders have bugs. The child
isolates them: the caller waits for a limited time, and the next file gets a new child. Pictures of pages are drawn and
text is read in children of their own: neither keeps an upload waiting.
"""

from __future__ import annotations

import logging
import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
from functools import cache
from multiprocessing.connection import Connection, Pipe
from typing import IO, Any, Literal

import orjson
from servicekit.codes import Code

from data_processor import config
from data_processor.documents.files.broken import BrokenFileError
from data_processor.web.errors import BusyError

logger = logging.getLogger(__name__)

_CHILD = "data_processor.documents.files.child"
_Pool = Literal["files", "pictures", "reading"]
_CHILDREN: dict[_Pool, int] = {"files": 2, "pictures": 1, "reading": 1}
"""How many files a process decodes at a time. A worker process reads one document at a time."""
_START_S = 30.0
_NOTED_MAX = 2_000
"""Bytes that are kept of what decoders write to standard error: warnings, and why one ended."""


class _Decoder:
    """One child process, started on first use and after each loss."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._errors: IO[bytes] | None = None

    def run(self, request: dict[str, Any], data: bytes, timeout_s: float) -> tuple[dict[str, Any], bytes]:
        """Return the child's answer. Raises BrokenFileError for a file that it refuses or that ends it."""
        reused = self._process is not None
        connection = self._connected()
        try:
            connection.send_bytes(orjson.dumps(request))
            connection.send_bytes(data)
            if not connection.poll(timeout_s):
                self._end()
                raise BrokenFileError(
                    f"the file takes longer than {timeout_s:g} s to decode", code=Code.TOO_COMPLEX, cause="time limit"
                )
            # JSON, because a child that a file has compromised could send a malicious pickle.
            answer: dict[str, Any] = orjson.loads(connection.recv_bytes())
            attachment = connection.recv_bytes()
        except (EOFError, OSError) as error:
            code, notes = self._end(), self._notes()
            if reused:
                # The child may have ended before this file: use a new one.
                return self.run(request, data, timeout_s)
            cause = f"the decoder ended with {code}" + (f": {notes}" if notes else "")
            raise BrokenFileError("the file cannot be decoded", code=Code.TOO_COMPLEX, cause=cause) from error
        if notes := self._notes():
            about = {"notes": notes, "task": request["task"], "media_type": request["media_type"]}
            logger.info("a decoder wrote a note about a file", extra={"fields": about})
        if "reason" in answer:
            raise BrokenFileError(answer["reason"], code=Code(answer["code"]), cause=answer["cause"])
        return answer, attachment

    def _connected(self) -> Connection:
        if self._connection is not None and self._process is not None and self._process.poll() is None:
            return self._connection
        self._end()
        self._connection, theirs = Pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the child
        self._process = subprocess.Popen(
            [sys.executable, "-m", _CHILD, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                "PYTHONSAFEPATH": "1",
                "PYTHONNOUSERSITE": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )
        theirs.close()
        # Starting can be slow on a busy machine, so it does not count as decoding.
        if not self._connection.poll(_START_S):
            self._end()
            raise _busy(_START_S)
        self._connection.recv_bytes()
        return self._connection

    def _notes(self) -> str:
        """Return the end of what the child has written to standard error since the last call."""
        if self._errors is None:
            return ""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _NOTED_MAX))
        notes = self._errors.read().decode(errors="replace").strip()
        # The child writes at the same position.
        self._errors.truncate(0)
        self._errors.seek(0)
        return notes

    def _end(self) -> int | None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is None:
            return None
        self._process.kill()
        code = self._process.wait()
        self._process = None
        return code


@cache
def _start(pool: _Pool) -> queue.LifoQueue[_Decoder]:
    idle: queue.LifoQueue[_Decoder] = queue.LifoQueue()
    for _ in range(_CHILDREN[pool]):
        idle.put(_Decoder())
    return idle


_starting = threading.Lock()


def decode(task: str, media_type: str, data: bytes) -> tuple[dict[str, Any], bytes]:
    """Run a task (see `child`) on a file in a child process. Raises BrokenFileError, or a 503 if all are busy."""
    return _run("files", config.current().decode_timeout_s, task, media_type, data, {})


def draw(media_type: str, data: bytes, **parameters: Any) -> bytes:
    """Return a picture of a page (see `child.draw`), made in a child process. Raises BrokenFileError, or a 503."""
    _, picture = _run("pictures", config.current().decode_timeout_s, "draw", media_type, data, parameters)
    return picture


def read_page(media_type: str, data: bytes, **parameters: Any) -> dict[str, Any]:
    """Read the text of a page (see `child.read_page`) in a child process. Raises BrokenFileError, or a 503."""
    found, _ = _run("reading", config.current().page_timeout_s, "read_page", media_type, data, parameters)
    return found


def _run(
    pool: _Pool, timeout_s: float, task: str, media_type: str, data: bytes, parameters: dict[str, Any]
) -> tuple[dict[str, Any], bytes]:
    settings = config.current()
    request = {
        "task": task,
        "timeout_s": timeout_s,
        "media_type": media_type,
        "max_pixels": settings.image_max_pixels,
        "max_pages": settings.pdf_max_pages,
        **parameters,
    }
    with _starting:
        idle = _start(pool)
    try:
        decoder = idle.get(timeout=timeout_s)
    except queue.Empty:
        raise _busy(timeout_s) from None
    try:
        return decoder.run(request, data, timeout_s)
    finally:
        idle.put(decoder)


def _busy(waited_s: float) -> BusyError:
    return BusyError(f"no decoder was free for {waited_s:g} s: try again shortly", math.ceil(waited_s))
