"""The table of docs/decisions/index.md, from what each page says at its beginning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from plumbline import ROOT
from plumbline.errors import PlumblineError
from plumbline.verification.docs.markdown import sentence, table

_FOLDER = ROOT / "docs" / "decisions"
_BEGINNING = re.compile(r"# (.+)\n\nDecided (\d{4}-\d\d-\d\d): (.+?)\.\s", re.DOTALL)


def summary() -> str:
    """Return a table with a line for each page."""
    return table(("no.", "decision", "why", "date"), _rows())


def files() -> list[Path]:
    """Return every page, in the order of their numbers."""
    return sorted(_FOLDER.glob("[0-9]*.md"))


def _rows() -> Iterator[tuple[str, ...]]:
    for file in files():
        found = _BEGINNING.match(file.read_text(encoding="utf-8"))
        if found is None:
            raise PlumblineError(
                f"{file.relative_to(ROOT)} does not begin as a decision should",
                hint="begin it with `# TITLE`, an empty line, and `Decided YYYY-MM-DD: the reason in a few words.`",
            )
        title, date, reason = found.groups()
        yield file.name[:4], f"[{title}]({file.name})", sentence(reason), date
