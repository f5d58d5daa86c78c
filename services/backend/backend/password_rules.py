"""Which passwords are refused: those that are guessed in no time."""

from __future__ import annotations

from zxcvbn import zxcvbn  # type: ignore[import-untyped]

_LEAST_SCORE = 2
"""Of 0 to 4. Below this an attacker who may guess freely needs less than a million tries (zxcvbn's own estimate)."""
_LOOKED_AT = 32
"""Characters that are looked at: the estimate takes up to a second for 72 of them."""


def weakness(password: str, username: str, display_name: str) -> str | None:
    """Return why `password` is too easy to guess for this user, as a sentence for people; None if it is not.

    Call it from one thread at a time.
    """
    own = [word for name in (username, display_name) for word in (name, *name.split())]
    found = zxcvbn(password[:_LOOKED_AT], user_inputs=own)
    if found["score"] >= _LEAST_SCORE:
        return None
    if any(part.get("dictionary_name") == "user_inputs" for part in found["sequence"]):
        reason = "It is little more than your own name."
    else:
        reason = found["feedback"]["warning"] or "It is among the first that are tried."
    return f"is too easy to guess. {reason} Take a longer one, of several words that do not belong together."
