"""Writes the few Markdown elements that pages use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table. Cells are Markdown; bars in them are escaped here."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def code(text: str) -> str:
    """Return `text` as code, and an empty text as it is."""
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    """Return each text as code, separated by commas."""
    return ", ".join(code(text) for text in texts)


def sentence(text: str) -> str:
    """Return `text` beginning with a capital letter and ending like a sentence."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", ":")) else ".")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
