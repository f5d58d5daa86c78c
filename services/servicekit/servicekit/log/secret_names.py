"""Names of secrets, and words after such a name that are no secret."""

from __future__ import annotations

import re
from functools import lru_cache

# Unambiguous also at the end of a longer word (`PGPASSWORD`, `authtoken`). `_` stands for any separator or none.
_ANYWHERE = """
    pass_word passwd passwort pass_phrase secret token api_key access_key private_key signing_key encryption_key
    authorization credential cookie sessionid sessid
""".split()  # noqa: SIM905
# Also the end of ordinary words (`compass`): these count only where a word begins.
_APART = """
    pass passcode pwd pw jwt session session_id csrf otp totp mfa_code pin_code pincode sid sig signature x-auth
""".split()  # noqa: SIM905


def _spelt(names: list[str]) -> str:
    return "|".join(re.escape(name).replace("_", r"[\s_.-]?") for name in sorted(names, key=len, reverse=True))


_SHORT_NAMES = ("pw", "sid", "sig", "pin")
_FIRSTS = {name.partition("_")[0] for name in (*_ANYWHERE, *_APART)}


def _fewest(words: set[str]) -> tuple[str, ...]:
    return tuple(sorted(one for one in words if not any(one != other and one.startswith(other) for other in words)))


STARTS = _fewest(_FIRSTS)
"""Beginnings of all names, in lower case: finding a word is much cheaper than matching a pattern."""
HINTS = _fewest(_FIRSTS.difference(_SHORT_NAMES))
SHORT = "short name"
"""Hint that stands for the names that are so short that they often occur inside other words."""
SHORT_HINT = re.compile(rf"(?:{'|'.join(_SHORT_NAMES)})s?[\W_]")
"""Matches where a short name may be."""
_ENDING = r"s?(?:[_-]?(?:hash|confirm(?:ation)?|value|code|key|[0-9]))?"
_APART_SPELT = rf"{_spelt(_APART)}|csrf\w{{0,40}}"
NAME = rf"(?:(?:{_spelt(_ANYWHERE)})|(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))(?:{_APART_SPELT})){_ENDING}"
"""A name, as a pattern whose matches begin with one of `STARTS`."""
NAME_IN_LOWER = re.compile(rf"(?:(?:{_spelt(_ANYWHERE)})|(?P<apart>{_APART_SPELT})){_ENDING}(?![\w,.;])")
"""The same for a text in lower case, several times faster; `apart` must begin a word."""


def begins_word(text: str, start: int) -> bool:
    """Return whether a word begins at `start`: no letter before it, or as in `dbPass`."""
    before = text[start - 1 : start]
    return not (before.isascii() and before.isalpha()) or (before.islower() and text[start].isupper())


_SECRET = re.compile(rf"(?:{NAME}|(?:^|[_.\-\s])(?:auth|bearer|ssh[_-]?key))$", re.IGNORECASE)
# Names that only mention a secret, and whose values are useful: token_type, password_file, max_tokens.
_HARMLESS = re.compile(
    r"(?:type|file|path|count|length|expires|ttl|_at|_s)$|^(?:max|min|total|num|has|is|used|prompt)[_-]", re.IGNORECASE
)
_LOOKED_AT = 200


def is_secret_key(name: str) -> bool:
    """Return whether the name alone shows that a value is a secret: `password`, `X-Api-Key`, `sessionToken`."""
    # The end of a very long name decides.
    return _is_secret(name[-_LOOKED_AT:])


@lru_cache(1024)
def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None and _HARMLESS.search(name) is None


_FIRST_WORD = re.compile(r"[A-Za-z]+(?=[.,;!:]?(?:\s|$))")
_COUNTED = re.compile(r"s(?:['\"\\])?\s?[:=]\s?$", re.IGNORECASE)
_SENTENCE = re.compile(r"[a-z]{1,12}(?:[,;]?\s[a-z']{1,12}){1,8}", re.ASCII)
_FUNCTION_WORDS = frozenset(
    "a an and as at be by for from has if in is it no not of on or that the this to was who with you".split()  # noqa: SIM905
)


def _is_sentence(text: str) -> bool:
    """Return whether text is a sentence (`log in first`) and not a passphrase."""
    sentence = _SENTENCE.match(text)
    return sentence is not None and not _FUNCTION_WORDS.isdisjoint(re.split(r"\W+", sentence[0]))


def is_harmless(head: str, value: str, after: str) -> bool:
    """Return whether a value is useful and no secret: `token: expired`, `tokens: 512`, `session: log in first`.

    `head` is the text before the value, `after` some of the text behind it.
    """
    bare = value.strip("\\'\"")
    first = _FIRST_WORD.match(bare)
    if first is not None and first[0].lower() in PROSE:
        # A value in quotation marks that continues after that word may be a passphrase.
        return bare == value or first.end() >= len(bare) - 1
    if bare == value and head.endswith(": ") and "pass" not in head.lower() and _is_sentence(value + after):
        return True
    return (
        # A line of code: `verify(session=session)`.
        re.split(r"\W", head, maxsplit=1)[0] == value
        or not any(map(str.isalnum, bare))
        or (bare.isdigit() and len(bare) < 6 and _COUNTED.search(head) is not None)
        or bare.startswith("/run/secrets/")
    )


PROSE = frozenset(
    """
    a absent an are authentication be broken by cannot changed check closed configuration created
    credentials denied deleted disabled does empty enabled ended error expired failed failure for from had has have in
    invalid is it lost malformed mismatch missing must needs never no none not null of off ok on open opened
    or refused rejected removed renewed required reset revoked rotated saved sent set should started the to too true
    false undefined unknown unreadable unset unsupported updated validation verification verified was were with
    without wrong
    """.split()  # noqa: SIM905
)
"""Words that describe a secret and are no secret."""
