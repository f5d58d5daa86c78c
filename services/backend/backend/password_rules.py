"""Refuses passwords that are easy to guess."""

from __future__ import annotations

from zxcvbn import zxcvbn  # type: ignore[import-untyped]

_MIN_SCORE = 2
"""From 0 to 4. Passwords below this are guessed in less than a million tries (zxcvbn's estimate)."""
_CHECKED_LENGTH = 32
"""Characters that are checked: zxcvbn takes up to a second for 72."""


def weakness(password: str, username: str, display_name: str) -> str | None:
    """Return why `password` is too easy to guess for this user, or None. Not thread-safe."""
    own = [word for name in (username, display_name) for word in (name, *name.split())]
    found = zxcvbn(password[:_CHECKED_LENGTH], user_inputs=own)
    if found["score"] >= _MIN_SCORE:
        return None
    if any(part.get("dictionary_name") == "user_inputs" for part in found["sequence"]):
        reason = "It is close to your own name."
    else:
        reason = found["feedback"]["warning"] or "It is among the first that attackers try."
    return f"is too easy to guess. {reason} Choose a longer one of several unrelated words."
