"""The results: tables of 80 columns, printed row by row, and all of them as JSON at the end."""

from __future__ import annotations

import json
import os
import platform
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

WIDTH = 80


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and a width; a negative width aligns the column to the left."""

    name: str
    width: int

    def cell(self, text: str) -> str:
        """Return the text at this column's width."""
        return text.ljust(-self.width) if self.width < 0 else text.rjust(self.width)


class Table:
    """A table: prints each row, and keeps its data."""

    def __init__(self, title: str, columns: Sequence[Column]) -> None:
        self.title = title
        self._columns = columns
        self.rows: list[dict[str, Any]] = []
        print(f"\n{title}\n")
        self._print([column.name for column in columns])
        self._print(["-" * abs(column.width) for column in columns])

    def row(self, cells: dict[str, str], **data: Any) -> None:
        """Print a row and keep its data."""
        self.rows.append(data)
        self._print([cells[column.name] for column in self._columns])

    def note(self, text: str) -> None:
        """Print a note below the last row."""
        print(textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    "), flush=True)

    def _print(self, cells: list[str]) -> None:
        line = " ".join(column.cell(text) for column, text in zip(self._columns, cells, strict=True))
        print(line.rstrip(), flush=True)


class Report:
    """All results of one run."""

    def __init__(self) -> None:
        self._begun = datetime.now(UTC)
        self._tables: list[Table] = []

    def table(self, title: str, columns: Sequence[Column]) -> Table:
        """Begin a table."""
        table = Table(title, columns)
        self._tables.append(table)
        return table

    def say(self, text: str) -> None:
        """Print a paragraph."""
        print("\n" + textwrap.fill(" ".join(text.split()), WIDTH), flush=True)

    def write(self, path: Path) -> None:
        """Write all tables as JSON."""
        path.parent.mkdir(exist_ok=True)
        document = {
            "begun": self._begun.isoformat(timespec="seconds"),
            "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
            "tables": [{"title": table.title, "rows": table.rows} for table in self._tables],
        }
        path.write_text(json.dumps(document, indent=2) + "\n")
