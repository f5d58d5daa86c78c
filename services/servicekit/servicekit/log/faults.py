"""Counts faults that clients can cause at will by kind, so that they cannot fill the recorder.

The first fault of a kind is written and recorded with all its details. Further ones are counted, and the recorder shows
the count with that first example. A kind is a fixed name in the code and contains no text of a client.
"""

from __future__ import annotations

import logging
import re
from pathlib import PurePath
from typing import Any, TypeGuard

from servicekit.context import client_address
from servicekit.log.entries import shorten

CLIENT = "client"
"""Errors of clients: bad tokens, bad frames, broken uploads."""
REQUEST = "request"
"""Requests that the stack failed to answer. A client may be able to provoke them, so they are counted, too."""
GROUPS = (CLIENT, REQUEST)
_FRAMEWORKS = ("django", "granian", "_granian", "asyncio")
"""Loggers of frameworks that report errors of requests. Their warnings are counted as faults of requests."""
_SHOWN_MAX = 500
"""Characters of a field that are shown. Clients choose these texts, and each character costs time."""
_KIND = re.compile(rf"(?:{'|'.join(GROUPS)})\.[A-Za-z0-9_.:-]{{1,100}}")
_NOT_IN_A_KIND = re.compile(r"[^A-Za-z0-9_.:-]")


def client_fault(
    log: logging.Logger,
    kind: str,
    message: str,
    *args: object,
    exc_info: BaseException | None = None,
    **fields: Any,
) -> None:
    """Log a warning about an error of a client.

    `kind` is a short fixed name such as `bad_token`. `message` and `args` are as for `log.warning`; `fields` become
    fields of the entry that help an operator. The client's address is added.
    """
    address = client_address()
    if address is not None:
        fields.setdefault("address", address)
    log.warning(message, *args, exc_info=exc_info, extra={"counted_as": f"{CLIENT}.{kind}", "fields": _shown(fields)})


def request_fault(log: logging.Logger, error: BaseException, message: str, **fields: Any) -> None:
    """Log an exception that ended a request, with its traceback. Its kind is the place in the code that raised it."""
    log.error(message, exc_info=error, extra={"counted_as": kind_of(error), "fields": _shown(fields)})


def _shown(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: shorten(value, _SHOWN_MAX) for name, value in fields.items()}


def kind_of(error: BaseException) -> str:
    """Return the kind of an exception: its type and the place that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{PurePath(trace.tb_frame.f_code.co_filename).stem}:{trace.tb_lineno}" if trace else "unknown"
    return f"{REQUEST}.{_NOT_IN_A_KIND.sub('_', f'{type(error).__name__}.{place}')[:100]}"


def kind_of_record(record: logging.LogRecord) -> str | None:
    """Return the kind of fault that a record reports; None if clients cannot cause it at will."""
    kind = record.__dict__.get("counted_as")
    if kind is not None or not record.name.startswith(_FRAMEWORKS):
        return kind if is_kind(kind) else None
    error = record.exc_info[1] if record.exc_info else None
    return kind_of(error) if error is not None else f"{REQUEST}.{_NOT_IN_A_KIND.sub('_', record.name)[:100]}"


def is_kind(name: object) -> TypeGuard[str]:
    """Return whether `name` can be a kind: a group and a short name of simple characters."""
    return isinstance(name, str) and _KIND.fullmatch(name) is not None


def counted(line: bytes, kind: str, count: int) -> bytes:
    """Return an entry's line, with its line end, marked as one of `count` faults of a kind."""
    return b'%s,"kind":"%s","count":%d}\n' % (line[: line.rindex(b"}")], kind.encode(), count)
