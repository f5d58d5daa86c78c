"""docs/generated/codes.md: every code that a client can be refused with."""

from __future__ import annotations

from servicekit.codes import Code

from plumbline.verification.docs.markdown import code, table

_INTRODUCTION = """\
# Codes of refusals

The `code` of a problem document, or of an `error` frame of the WebSocket, is one of these at every service. [Calls and
frames](../calls.md#errors) shows what a refusal looks like.

"""


def page() -> str:
    """Return the table."""
    rows = [
        (code(one.value), ", ".join(map(str, one.statuses)) or "frame", one.meaning)
        for one in sorted(Code, key=lambda one: one.value)
    ]
    return _INTRODUCTION + table(("code", "status", "meaning"), rows)
