"""Takes secrets out of text and structures before they reach anything that remembers."""

from __future__ import annotations

import re

REDACTED = "[redacted]"

_TELLTALE = (
    r"(?:pg)?pass(?:word|wd|phrase|code)?(?:[_-]?(?:hash|confirm(?:ation)?|[0-9]))?|pwd|secret(?:[_-]?key)?|token|jwt|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key"
    r"|authorization|credentials?|cookie|session(?:[_-]?id)?|csrf\w*|otp"
)
_SECRET_KEY = re.compile(rf"(?:^|[_.\-\s]|(?-i:(?<=[a-z])(?=[A-Z])))(?:{_TELLTALE})s?$", re.IGNORECASE)
# Names that only mention a secret, and whose values help: token_type, password_file.
_HARMLESS_SUFFIX = re.compile(r"(?:type|file|path|count|length|expires|ttl|_at|_s)$", re.IGNORECASE)

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*KEY(?: BLOCK)?-----|\Z)", re.DOTALL
)
_URL_USERINFO = re.compile(
    r"(?P<head>\b[a-z][a-z0-9+.\-]{1,30}://[^\s/:@'\"<>]{0,256}:)[^\s'\"<>]{1,1024}@", re.IGNORECASE
)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]+){1,4}")
_SCHEME = re.compile(r"(?P<head>\b(?:bearer|basic|digest|token)\s+)(?!realm=)[A-Za-z0-9+/=._~\-]{8,}", re.IGNORECASE)
_HEADER = re.compile(
    r"(?P<head>\b(?:proxy-)?authorization['\"]?\s*[:=]\s*|\b(?:set-)?cookie['\"]?\s*[:=]\s*)(?P<value>\[[^\]\n]*\]|[^\n]+)",
    re.IGNORECASE,
)
_KNOWN_SHAPE = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bxox[abposr]-[\w-]{10,}|\bsk-[\w-]{20,}|\$argon2(?:id|i|d)\$[^\s'\"]+|\bpbkdf2_\w+\$[^\s'\"]+|\$2[aby]\$\d\d\$[./\w]{20,}"
)
_ASSIGNMENT = re.compile(
    # No leading `\w*_`: it would cost the square of the text's length. What stands before the word stays anyway.
    rf"(?P<head>(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))(?:{_TELLTALE})s?(?:\\?['\"])?\s*(?:=>|[:=])\s*)"
    r"(?P<value>\\?\"(?:[^\"\\]|\\.)*(?:\\?\"|\Z)|\\?'(?:[^'\\]|\\.)*(?:\\?'|\Z)|[^\s,;&'\"\])}]+)",
    re.IGNORECASE,
)
# What every text has, casefolded, that a pattern above could match. Most log lines have none of it, and looking for a
# word is many times cheaper than a pattern.
_HINTS = (
    "pass", "pwd", "secret", "token", "jwt", "key", "authorization", "credential", "cookie", "session", "csrf", "otp",
    "bearer", "basic", "digest", "://", "eyj", "-----begin", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_",
    "github_pat", "glpat", "xox", "sk-", "argon2", "pbkdf2", "$2",
)  # fmt: skip


def is_secret_key(name: str) -> bool:
    """Tell whether a value is a secret by its name alone: `password`, `X-Api-Key`, `sessionToken`."""
    return _SECRET_KEY.search(name) is not None and _HARMLESS_SUFFIX.search(name) is None


def redact(text: str) -> str:
    """Return `text` with passwords, tokens, cookies, keys and credentials in URLs replaced by `[redacted]`."""
    folded = text.casefold()
    for hint in _HINTS:
        if hint in folded:
            break
    else:
        return text
    text = _PRIVATE_KEY.sub(REDACTED, text)
    text = _HEADER.sub(rf"\g<head>{REDACTED}", text)
    text = _URL_USERINFO.sub(rf"\g<head>{REDACTED}@", text)
    text = _JWT.sub(REDACTED, text)
    text = _SCHEME.sub(rf"\g<head>{REDACTED}", text)
    text = _KNOWN_SHAPE.sub(REDACTED, text)
    return _ASSIGNMENT.sub(_assignment, text)


def _assignment(match: re.Match[str]) -> str:
    value = match["value"]
    if REDACTED.startswith(value) or value.startswith(REDACTED) or _is_prose(value):
        return match[0]
    return match["head"] + REDACTED


def _is_prose(value: str) -> bool:
    # "token: expired" says what went wrong; hiding it would cost the operator the one useful word.
    return value.lower().strip(".'\"") in _PROSE


_PROSE = frozenset(
    [
        "expired",
        "missing",
        "invalid",
        "wrong",
        "malformed",
        "absent",
        "unknown",
        "required",
        "refused",
        "rejected",
        "failed",
        "none",
        "null",
        "true",
        "false",
        "not",
        "is",
        "was",
        "the",
        "a",
        "an",
        "no",
        "unreadable",
        "empty",
        "revoked",
    ]
)
