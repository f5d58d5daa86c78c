"""Takes secrets out of text and structures before they reach anything that remembers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

REDACTED = "[redacted]"

# Names of secrets. The first are unmistakable wherever they end a word (`PGPASSWORD`, `authtoken`); the others are ends
# of ordinary words, too (`compass`), and count only where a word of their own begins.
_ANYWHERE = (
    r"passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key"
    r"|encryption[_-]?key|authorization|credential|cookie|sessionid|sessid"
)
_APART = (
    r"pass|passcode|pwd|pw|jwt|session(?:[_-]?id)?|csrf\w{0,40}|t?otp|(?:otp|mfa|pin)[_-]?code|sid|sig|signature|x-auth"
)
# What these names begin with: a search for a word is many times cheaper than one for a pattern.
_BEGINNINGS = (
    "pass", "secret", "token", "api", "access", "private", "signing", "encryption", "auth", "credential", "cookie",
    "sess", "pwd", "pw", "jwt", "csrf", "totp", "otp", "mfa", "pin", "sid", "sig", "x-auth",
)  # fmt: skip
_TELLTALE = (
    rf"(?:(?:{_ANYWHERE})|(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))(?:{_APART}))s?"
    r"(?:[_-]?(?:hash|confirm(?:ation)?|value|key|[0-9]))?"
)
_SECRET_KEY = re.compile(rf"(?:{_TELLTALE}|(?:^|[_.\-\s])(?:auth|bearer|ssh[_-]?key))$", re.IGNORECASE)
# Names that only mention a secret, and whose values help: token_type, password_file, max_tokens.
_HARMLESS_KEY = re.compile(
    r"(?:type|file|path|count|length|expires|ttl|_at|_s)$|^(?:max|min|total|num|has|is|used|prompt)[_-]", re.IGNORECASE
)
_KEY_LOOKED_AT = 200

_MARK = r"\\{0,7}['\"]"
"""A quotation mark, also one inside of JSON inside of JSON."""
# The same mark closes it, behind as many backslashes; what follows without a space still belongs to the value.
_QUOTED = r"[bru]{0,2}(?P<esc>\\{0,7})(?P<mark>['\"]).*?(?:(?<!\\)(?P=esc)(?P=mark)[^\s,;&)\]}'\"\\]*|\Z)"
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]{0,40}KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_WEB_USERINFO = re.compile(r"(?P<head>\b(?:https?|wss?|ftps?)://)[^\s/?#'\"<>]{1,1024}@", re.IGNORECASE)
# Drivers take passwords with a slash in them, so that this looks further than to the next one.
_URL_USERINFO = re.compile(
    r"(?P<head>\b(?!https?:|wss?:|ftps?:)[a-z][a-z0-9+.\-]{1,30}://[^\s/:@'\"<>]{0,256}:)[^\s'\"<>]{1,1024}@",
    re.IGNORECASE,
)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]+){1,4}")
_SCHEME = re.compile(
    r"(?P<head>\b(?:bearer|basic|token)(?:\s|%20|\+|:\s?){1,8})(?!realm=)(?P<value>[A-Za-z0-9+/=._~\-]{8,})",
    re.IGNORECASE,
)
_HEADER = re.compile(
    rf"(?P<head>(?:authorization|cookies?)(?:{_MARK})?\s{{0,8}}[:=]\s{{0,8}})"
    rf"(?P<value>{_QUOTED}|\[[^\]\n]*\]|[^\n]+)",
    re.IGNORECASE | re.DOTALL,
)
_KNOWN_SHAPE = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{35}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{16,}|\bx(?:ox[abposr]|app)-[\w-]{10,}|\bsk-[\w-]{20,}"
    r"|\b[rs]k_(?:live|test)_\w{10,}"
    r"|\$argon2(?:id|i|d)\$[^\s'\"]+|\bpbkdf2_\w{1,20}\$[^\s'\"]+|\$2[aby]\$\d\d\$[./\w]{20,}"
)
_ASSIGNMENT = re.compile(
    # `password=`, `"password": `, `password[0]=`, `user[password]=`, `password: str = `, `password%3D`, `(token)=(`.
    rf"(?P<head>(?:{_TELLTALE}|(?<![A-Za-z])auth(?==))(?:\[\w{{0,40}}\]|[\])])?(?:{_MARK}|%22|%27)?\s{{0,8}}"
    r"(?::\s?(?:str|bytes|string|SecretStr)(?:\s\|\sNone)?\s{0,4}=|=>|->|:=|==?|:|%3D|%3A)\s{0,8}(?:%22|%27)?)"
    rf"(?P<value>{_QUOTED}|[\[({{][^\])}}\n]*[\])}}]?|[^\s,;&'\"\])}}]+)",
    re.IGNORECASE | re.DOTALL,
)
# A pair of strings, as headers and rows are written: ('x-api-key', b'…').
_PAIR = re.compile(
    rf"(?P<head>[\[(]\s?[bru]{{0,2}}{_MARK}[\w.\-]{{0,60}}{_TELLTALE}{_MARK}\s?,\s?)(?P<value>{_QUOTED})(?=\s?[\])])",
    re.IGNORECASE | re.DOTALL,
)
# `--password …`, also as a list of arguments; `-u name:…`.
_OPTION = re.compile(
    rf"(?P<head>(?<![\w-])(?:--(?:[a-z][\w-]{{0,40}}?-)?{_TELLTALE}(?:['\"],\s?['\"]|\s)|(?:-u|--user)[\s=]['\"]?[^\s:'\"]{{1,64}}:))"
    r"(?P<value>[^\s'\"]+)",
    re.IGNORECASE,
)
_ELEMENT = re.compile(
    rf"(?P<head><(?:\w{{1,20}}:)?[\w.\-]{{0,40}}?{_TELLTALE}(?:\s[^<>\n]{{0,200}})?>)(?P<value>[^<]+)", re.IGNORECASE
)
# In prose only what stands in quotation marks can be told from the prose: password 'x'; SecretStr('x').
_SAID = re.compile(
    rf"(?P<head>\bpass(?:word|wd|phrase)\s(?:(?:is|was)\s)?|\bSecret(?:Str|Bytes)\()(?P<value>{_QUOTED})",
    re.IGNORECASE | re.DOTALL,
)
# What every text has, casefolded, that a pattern above could match. Most log lines have none of it, and looking for a
# word is many times cheaper than a pattern.
_SHAPES = (
    "akia", "asia", "aiza", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat", "glpat", "npm_", "pypi-", "xox",
    "xapp-", "sk-", "k_live_", "k_test_", "argon2", "pbkdf2", "$2",
)  # fmt: skip
_HINTS = (
    "pass", "pwd", "secret", "token", "jwt", "key", "auth", "credential", "cookie", "sess", "csrf", "otp", "signature",
    "mfa", "pincode", "pin_code", "pin-code", "bearer", "basic", "://", "eyj", "-----begin", " -u", "--user", *_SHAPES,
)  # fmt: skip
# Names so short that they occur inside of other words all the time.
_SHORT_NAME = re.compile(r"(?:pw|sid|sig)s?\W")


def is_secret_key(name: str) -> bool:
    """Tell whether a value is a secret by its name alone: `password`, `X-Api-Key`, `sessionToken`."""
    # Of a name without end, what it ends with tells.
    return _is_secret_key(name[-_KEY_LOOKED_AT:])


@lru_cache(1024)
def _is_secret_key(name: str) -> bool:
    return _SECRET_KEY.search(name) is not None and _HARMLESS_KEY.search(name) is None


def redact(text: str) -> str:
    """Return `text` with passwords, tokens, cookies, keys and credentials in URLs replaced by `[redacted]`."""
    folded = text.casefold()
    for hint in _HINTS:  # faster than any()
        if hint in folded:
            break
    else:
        if _SHORT_NAME.search(folded) is None:
            return text
    if "-----begin" in folded:
        text = _PRIVATE_KEY.sub(REDACTED, text)
    text = _substituted(_HEADER, ("authorization", "cookie"), _replaced, text)
    if "://" in folded:
        text = _WEB_USERINFO.sub(rf"\g<head>{REDACTED}@", text)
        text = _URL_USERINFO.sub(rf"\g<head>{REDACTED}@", text)
    if "eyj" in folded:
        text = _JWT.sub(REDACTED, text)
    text = _substituted(_SCHEME, ("bearer", "basic", "token"), _scheme, text)
    if any(map(folded.__contains__, _SHAPES)):
        text = _KNOWN_SHAPE.sub(REDACTED, text)
    text = _substituted(_ASSIGNMENT, _BEGINNINGS, _replaced, text)
    text = _substituted(_SAID, ("pass", "secret"), _replaced, text)
    for sign, pattern in ((",", _PAIR), ("-", _OPTION), ("<", _ELEMENT)):
        if sign in folded:
            text = pattern.sub(_replaced, text)
    return text


def _substituted(
    pattern: re.Pattern[str], beginnings: tuple[str, ...], replaced: Callable[[re.Match[str]], str], text: str
) -> str:
    """Do what `pattern.sub(replaced, text)` does, for a pattern whose matches begin with one of the words."""
    # As long as the text, letter by letter: U+017F is an s to patterns, and U+0130 grows when it is made lower.
    lower = text.lower().replace("\u017f", "s")
    if len(lower) != len(text):
        lower = "".join(letter.lower()[0] for letter in text).replace("\u017f", "s")
    starts = []
    for word in beginnings:
        start = lower.find(word)
        while start >= 0:
            starts.append(start)
            start = lower.find(word, start + 1)
    parts, done = [], 0
    for start in sorted(starts):
        match = pattern.match(text, start) if start >= done else None
        if match is not None:
            parts += [text[done:start], replaced(match)]
            done = match.end()
    return "".join((*parts, text[done:])) if parts else text


def _replaced(match: re.Match[str]) -> str:
    value = match["value"]
    if REDACTED.startswith(value) or value.startswith(REDACTED) or _is_harmless(match["head"], value):
        return match[0]
    return match["head"] + REDACTED


def _scheme(match: re.Match[str]) -> str:
    # "basic configuration", "token verification" are words; what a scheme carries looks random, or is long.
    value = match["value"].strip(".")
    word = value.isalpha() and (value.islower() or value.istitle()) and len(value) < _LONGEST_WORD
    bearer = match["head"][:6].lower() == "bearer"
    if value.lower() in _PROSE or (word and not bearer):
        return match[0]
    return match["head"] + REDACTED


_LONGEST_WORD = 20
_FIRST_WORD = re.compile(r"[A-Za-z]+(?=[.,;!]?(?:\s|$))")
_COUNTED = re.compile(r"s(?:['\"\\])?\s?[:=]\s?$", re.IGNORECASE)


def _is_harmless(head: str, value: str) -> bool:
    """Tell what helps the operator from what is secret: `token: expired`, `tokens: 512`, `token: '<'`."""
    bare = value.strip("\\'\"")
    first = _FIRST_WORD.match(bare)
    if first is not None and first[0].lower() in _PROSE:
        # What is in quotation marks and goes on after that word may be a passphrase.
        return bare == value or first.end() >= len(bare) - 1
    return (
        not any(map(str.isalnum, bare))
        or (bare.isdigit() and len(bare) < 6 and _COUNTED.search(head) is not None)
        or bare.startswith("/run/secrets/")
    )


_WORDS = """
    a absent an are authentication be broken by cannot changed check closed configuration created
    credentials denied deleted disabled does empty enabled ended error expired failed failure for from had has have in
    invalid is it lost malformed mismatch missing must needs never no none not null of off ok on open opened
    or refused rejected removed renewed required reset revoked rotated saved sent set should started the to too true
    false undefined unknown unreadable unset unsupported updated validation verification verified was were with
    without wrong
"""
_PROSE = frozenset(_WORDS.split())
