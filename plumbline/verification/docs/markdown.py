"""The little Markdown that the pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, its lines ended. Cells are Markdown already; a bar in one is escaped here."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def code(text: str) -> str:
    """Return `text` as code, or nothing where there is none."""
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    """Return several words as code, separated by commas."""
    return ", ".join(code(text) for text in texts)


def sentence(text: str) -> str:
    """Return `text` beginning with a capital letter and ending like a sentence."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", ":")) else ".")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
