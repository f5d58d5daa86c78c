"""Finds the end of a secret's value from its beginning."""

from __future__ import annotations

import re

_QUOTE = re.compile(
    r"""[bru]{0,2}(?P<esc>\\{0,15})(?P<mark>['"]|&quot;|&\#3[49];|%22|%27)""", re.IGNORECASE | re.VERBOSE
)
_UNQUOTED = re.compile(
    # Marks and separators belong to the value if it continues after them, unless another name begins there.
    r"[^\s,;&'\"\])}]+(?:['\"\])},;]+(?![\w.-]{1,40}['\"\\]{0,3}\s?[=:])[^\s,;&'\"\])}]+)*"
)
_BLOCK = re.compile(r"[|>][+-]?[ \t]*\r?\n(?:(?:[ \t]+[^\n]*)?(?:\n|$))+")
_SHELL_QUOTE = "'\"'\"'"
"""A quotation mark inside a shell's quoted word."""
_BRACKETS_MAX = 2000
_OPENING = {"[": "]", "(": ")", "{": "}"}
_BRACKET = re.compile(r"[\[\](){}\n'\"]")


def end_of_value(text: str, start: int) -> int:
    """Return where the value ends: with its quotation marks, its brackets, a block of YAML, or a word."""
    quote = _QUOTE.match(text, start)
    if quote is not None:
        return _end_of_quoted(text, quote)
    if text[start : start + 1] in _OPENING:
        return _end_of_brackets(text, start)
    block = _BLOCK.match(text, start) or _UNQUOTED.match(text, start)
    return block.end() if block is not None else start


def end_of_quoted(text: str, start: int) -> int:
    """Return where a value in quotation marks ends, or `start` if there are none."""
    quote = _QUOTE.match(text, start)
    return start if quote is None else _end_of_quoted(text, quote)


def end_of_word(text: str, start: int) -> int:
    """Return where a command's argument ends."""
    end = end_of_quoted(text, start)
    while end == start or (end < len(text) and not text[end].isspace() and text[end] not in "'\""):
        if end >= len(text) or text[end].isspace() or (end == start and text[end] in "'\""):
            break
        end += 1
    return end


def end_of_line(text: str, start: int) -> int:
    """Return where a header's value ends: at the end of its line, unless it is in quotation marks or brackets."""
    if _QUOTE.match(text, start) or text[start : start + 1] == "[":
        return end_of_value(text, start)
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def end_of_element(text: str, start: int) -> int:
    """Return where the text of an XML element ends."""
    end = text.find("<", start)
    return len(text) if end < 0 else end


def _end_of_quoted(text: str, quote: re.Match[str]) -> int:
    """Return where the quotation ends: at the same mark behind as many backslashes, with no word right behind it.

    A mark that is doubled (SQL, CSV) or escaped belongs to the value. An unclosed quotation ends with the text.
    """
    mark, depth = quote["mark"].lower(), len(quote["esc"])
    lower = text if mark in "'\"" else text.lower()
    closing = text[quote.start("esc") : quote.end()]
    at = quote.end()
    while True:
        found = lower.find(mark, at)
        if found < 0:
            return len(text)
        if text.startswith(_SHELL_QUOTE, found):
            at = found + len(_SHELL_QUOTE)
            continue
        at = found + len(mark)
        if depth == 0 and text[found - 1] == "\\" and text.startswith(mark, at):
            at += len(mark)
            continue
        if _backslashes(text, found, quote.end()) != depth:
            continue
        if text.startswith(closing, at):
            at += len(closing)
            if not _continues(text, at) and found == quote.end() + depth:
                # The value was empty, and the next quotation begins.
                return found + len(mark)
            continue
        if not _continues(text, at):
            return at


def _continues(text: str, at: int) -> bool:
    return at < len(text) and (text[at].isalnum() or text[at] in "_$%@#^*+~<")


def _backslashes(text: str, at: int, first: int) -> int:
    begin = at
    while begin > first and text[begin - 1] == "\\":
        begin -= 1
    return at - begin


def _end_of_brackets(text: str, start: int) -> int:
    """Return where the brackets are closed, or the end of the line if they are not closed within the limit."""
    depth, at, line_end = 0, start, 0
    while True:
        sign = _BRACKET.search(text, at)
        if sign is None or sign.start() - start > _BRACKETS_MAX:
            return line_end or len(text)
        at = sign.end()
        if sign[0] == "\n":
            line_end = line_end or sign.start()
            continue
        if sign[0] in "'\"":
            at = _end_of_quoted(text, quote) if (quote := _QUOTE.match(text, sign.start())) else at
        elif sign[0] in _OPENING:
            depth += 1
        else:
            depth -= 1
            if depth <= 0:
                return at
