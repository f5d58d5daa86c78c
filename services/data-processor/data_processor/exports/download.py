"""Send an export with bounded memory, and so that a download that ends early shows it.

An export is made before it is sent. So its length and its entity tag are announced, a download that is cut off can be
resumed, and an error before the first byte is an answer. It is kept compressed; one that is too large for that is made
twice from one snapshot of the database, first to measure it, then to send it.
"""

from __future__ import annotations

import hashlib
import logging
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import chain

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from servicekit.codes import Code

from data_processor import config
from data_processor.database import statements
from data_processor.documents import serving
from data_processor.exports import selectors
from data_processor.exports.options import ExportOptions
from data_processor.exports.selectors import Scope
from data_processor.exports.writers import WRITERS
from data_processor.web import errors
from data_processor.web.slow_lane import slow_lane

logger = logging.getLogger(__name__)

_BLOCK = 64 * 1024
_KEPT = 16 * _BLOCK
"""Most bytes of the compressed copy, which is ten to thirty times as much of an export."""
_AT_ONCE = 16 * _BLOCK
"""An export up to this size is handed to the server whole, so that a slow client holds no place."""
_MEASURE_S = 40.0
"""Longest time for measuring; the proxy waits for the headers for a little longer."""


def send(
    request: HttpRequest, options: ExportOptions, find: Callable[[], Scope]
) -> HttpResponse | StreamingHttpResponse:
    """Return the export of the scope that `find` returns. Raises what it raises, and BusyError, TooManyAtOnceError."""
    writer = WRITERS[options.format]
    with ExitStack() as held:
        held.enter_context(slow_lane("exports"))
        snapshot = held.enter_context(ExitStack())
        snapshot.enter_context(statements.snapshot())
        scope = find()

        def make() -> Iterator[bytes]:
            return writer.write(selectors.pieces(scope, validated_only=options.validated_only), options)

        size, digest, copy = _measure(make())
        file = serving.File(
            f"{scope.name}.{options.format}", writer.media_type, size, etag=f'"{digest}"', download=True
        )
        until = time.monotonic() + config.current().export_timeout_s
        if copy is not None:
            # Others may use the connection meanwhile. The place is held for the memory.
            snapshot.close()
            statements.release_connection()
            if size <= _AT_ONCE:
                whole = b"".join(copy.parts())
                return serving.serve(request, file, lambda start, length: whole[start : start + length])
        parts = make if copy is None else copy.parts
        return serving.serve(
            request,
            file,
            lambda start, length: _Sending(_part(parts(), start, length), held.pop_all(), until),
        )


class _Copy:
    """The bytes of an export, compressed."""

    def __init__(self) -> None:
        self._compress = zlib.compressobj(level=1)
        self._kept = bytearray()

    def add(self, part: bytes) -> bool:
        """Keep another part; return whether the copy is still small enough."""
        self._kept += self._compress.compress(part)
        return len(self._kept) <= _KEPT

    def end(self) -> None:
        """Keep what is still to be compressed."""
        self._kept += self._compress.flush()

    def parts(self) -> Iterator[bytes]:
        """Yield the bytes."""
        decompress = zlib.decompressobj()
        rest: bytes = bytes(self._kept)
        while rest:
            yield decompress.decompress(rest, _BLOCK)
            rest = decompress.unconsumed_tail
        yield decompress.flush()


def _measure(parts: Iterator[bytes]) -> tuple[int, str, _Copy | None]:
    """Return the size and the SHA-256 of an export, and a copy of it unless that would be too large."""
    size, digest = 0, hashlib.sha256()
    copy: _Copy | None = _Copy()
    until = time.monotonic() + _MEASURE_S
    for part in parts:
        size += len(part)
        digest.update(part)
        if copy is not None and not copy.add(part):
            copy = None
        if time.monotonic() > until:
            raise errors.ConflictError(
                Code.TOO_MUCH_AT_ONCE,
                f"the export cannot be prepared within {_MEASURE_S:.0f} s: export fewer documents at once "
                "(a channel's in parts, with `after` and `before`)",
            )
    if copy is not None:
        copy.end()
    return size, digest.hexdigest(), copy


def _part(parts: Iterator[bytes], start: int, length: int) -> Iterator[bytes]:
    """Yield `length` bytes from offset `start`, in blocks."""
    block = bytearray()
    for part in chain(parts, [b""]):
        skipped = min(start, len(part))
        start -= skipped
        block += part[skipped:]
        while len(block) >= _BLOCK and length > 0:
            yield bytes(block[: min(_BLOCK, length)])
            length -= min(_BLOCK, length)
            del block[:_BLOCK]
        if length <= 0:
            return
    yield bytes(block[:length])


class _Sending:
    """The blocks of an export. It holds what making them needs until the last one, an error or `close`."""

    def __init__(self, blocks: Iterator[bytes], held: ExitStack, until: float) -> None:
        self._blocks = blocks
        self._held = held
        self._until = until

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the next block. After an error the export ends early, and so the server cuts the connection off."""
        try:
            if time.monotonic() > self._until:
                raise errors.BusyError("sending an export took too long")
            return next(self._blocks)
        except StopIteration:
            self.close()
            raise
        except Exception as error:
            refusal = errors.from_exception(error)
            logger.warning("an export was cut off", extra={"fields": {"reason": refusal.detail}})
            self.close()
            raise StopIteration from None

    def close(self) -> None:
        """Give back the place and the connection."""
        # A lost connection cannot end its transaction.
        with suppress(DatabaseError):
            self._held.close()
