"""What commands tell the terminal: exit codes and widths."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from typing import NoReturn

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NOT_RUNNING, EXIT_INTERRUPTED = 0, 1, 2, 3, 130
WIDTH = 80


def columns() -> int | None:
    """Return the width of the terminal that reads standard output; None for another reader, or without colours."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() and "NO_COLOR" not in os.environ else None


def width() -> int | None:
    """Return how wide a line may be: that of the terminal, or COLUMNS; None if a program reads it."""
    is_read = sys.stdout.isatty() or sys.stderr.isatty() or "COLUMNS" in os.environ
    return shutil.get_terminal_size().columns if is_read else None


def wrapped(text: str, first: str, others: str, width: int = WIDTH) -> str:
    """Return `text` in lines that fit a terminal, after the beginnings `first` and `others`. Words are kept whole."""
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


class Parser(argparse.ArgumentParser):
    """Refuses wrong usage in lines that fit a terminal, and says where the right one is."""

    def error(self, message: str) -> NoReturn:
        """Print usage, what is wrong and what is next; exit."""
        self.print_usage(sys.stderr)
        said = f"{self.prog}: error: {message}"
        if fits := width():
            said = wrapped(said, "", "  ", fits)
        self.exit(EXIT_USAGE, f"{said}\nnext: ./{self.prog} --help\n")
