"""Removes secrets from text before it is written or sent. `rules.py` defines what a secret looks like."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

from servicekit.log.clean import ANSI, INVISIBLE, unusual
from servicekit.log.rules import GROUPS, HINTS, REDACTED, Group, Rule
from servicekit.log.secret_names import SHORT, SHORT_HINT, begins_word

_WINDOW: Final = 64
_TOO_SHORT: Final = 16


def redact(text: str) -> str:
    """Return `text` with passwords, tokens, cookies, keys and credentials in URLs replaced by `[redacted]`.

    Invisible characters and lookalikes hide no secret: if a secret is found after they are normalised, the normalised
    text is returned.
    """
    if len(text) < _TOO_SHORT and text.isidentifier():
        return text  # a single short word, such as a field's name: no rule matches it
    text = _redact(text)
    if unusual(text):
        for seen in {_normal(ANSI.sub("", text)), _normal(text)}:
            found = _redact(seen)
            if found != seen:
                return _redact(found)
    return text


def _normal(text: str) -> str:
    return INVISIBLE.sub("", unicodedata.normalize("NFKD", text))


def _redact(text: str) -> str:
    lower = _lower(text)
    there = [hint for hint in HINTS if hint in lower]
    if SHORT_HINT.search(lower) is not None:
        there.append(SHORT)
    if not there:
        return text
    for group, starts in _worth_trying(tuple(there)):
        changed = _substituted(group, starts, text, lower)
        if changed is not text:
            text, lower = changed, _lower(changed)
    return text


@lru_cache(1024)
def _worth_trying(hints: tuple[str, ...]) -> list[tuple[Group, tuple[str, ...]]]:
    """Return the groups whose lead may occur in a text with these hints, and the words that the lead may begin with."""
    absent = set(HINTS).difference(hints)
    return [
        (group, tuple(word for word in group.starts if word not in absent))
        for group in GROUPS
        if not group.hints.isdisjoint(hints)
    ]


def _lower(text: str) -> str:
    """Return the text in lower case at the same length: U+0130 would grow, and patterns treat U+017F as an s."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(letter.lower()[0] for letter in text)
    return lower if lower.isascii() else lower.replace("\u017f", "s")


def _substituted(group: Group, words: tuple[str, ...], text: str, lower: str) -> str:
    starts = []
    for word in words:
        start = lower.find(word)
        while start >= 0:
            starts.append(start)
            start = lower.find(word, start + 1)
    if not starts:
        return text
    parts, done = [], 0
    for start in sorted(starts):
        if start < done:
            continue
        lead = group.lead.match(text if group.cased else lower, start)
        if lead is None or group.any.match(text, lead.end()) is None:
            continue
        if lead.lastgroup == "apart" and not begins_word(text, start):
            continue
        for rule in group.rules:
            span = _secret(rule, text, start, lead.end())
            if span is not None:
                parts += [text[done : span[0]], REDACTED]
                done = span[1]
                break
    return "".join((*parts, text[done:])) if parts else text


def _secret(rule: Rule, text: str, start: int, at: int) -> tuple[int, int] | None:
    """Return the span of the secret that the rule finds after the lead at `start` to `at`, or None."""
    match = rule.pattern.match(text, at)
    if match is None or (rule.before and not rule.before.search(text, max(0, start - _WINDOW), start)):
        return None
    if rule.whole:
        return start, match.end()
    if rule.end is None:
        return match.span("secret")
    begin = match.end()
    end = rule.end(text, begin)
    value = text[begin:end]
    if end <= begin or REDACTED.startswith(value) or value.startswith(REDACTED):
        return None
    if rule.harmless is not None and rule.harmless(text[start:begin], value, text[end : end + _WINDOW]):
        return None
    return begin, end
