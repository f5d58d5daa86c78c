"""The command line as data, read from its own parser."""

# ruff: noqa: SLF001 - argparse has no public way to list its parts

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline import ROOT
from plumbline.cli import parser as parser_of_the_command_line


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `value` is the placeholder of its value, empty for a flag."""

    flags: tuple[str, ...]
    value: str
    default: Any
    does: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command with its options."""

    name: str
    does: str
    options: tuple[Option, ...]


def commands() -> dict[str, Command]:
    """Return every command by its name, in the order of the help text."""
    found = {}
    for action in parser_of_the_command_line()._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, parser in action.choices.items():
                found[name] = Command(name, helps[name], tuple(_options(parser)))
    return found


def _options(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction):
            does = (action.help or "").replace(" (%(choices)s)", "")  # its value names them
            yield Option(tuple(action.option_strings), _value(action), _portable(action.default), does)


def _value(action: argparse.Action) -> str:
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return "" if action.nargs == 0 else str(action.metavar or action.dest.upper())


def _portable(default: Any) -> Any:
    return default.relative_to(ROOT).as_posix() if isinstance(default, Path) else default
