"""What commands tell the terminal: exit codes and widths."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NOT_RUNNING, EXIT_INTERRUPTED = 0, 1, 2, 3, 130
WIDTH = 80


def columns() -> int | None:
    """Return the width of the terminal that reads standard output; None for another reader, or without colours."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() and "NO_COLOR" not in os.environ else None


def wrapped(text: str, first: str, others: str) -> str:
    """Return `text` in lines that fit a terminal, after the beginnings `first` and `others`. Words are kept whole."""
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
