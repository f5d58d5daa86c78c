"""Judges what the checks said of a stack with one fault in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """Which checks passed, and which failed with which message."""

    passed: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)


def is_case_of(check: str, name: str) -> bool:
    """Say whether the check that ran under `name` is `check`, or one of its cases."""
    return name == check or name.partition("[")[0] == check


def complaints(red: Mapping[str, str], outcome: Outcome) -> list[str]:
    """Return what is wrong with the outcome of a fault that must turn exactly `red` red; nothing if it was seen."""
    found = [] if red else ["the catalogue names no check that must see it"]
    for check, phrase in red.items():
        messages = {name: said for name, said in outcome.failed.items() if is_case_of(check, name)}
        if not messages:
            ran = any(is_case_of(check, name) for name in outcome.passed)
            found.append(f"{check} {'stayed green' if ran else 'was not run'}; wanted it red, saying {phrase!r}")
        found += [
            f"{name} is red, but does not say {phrase!r}: {_short(said)}"
            for name, said in messages.items()
            if phrase not in said
        ]
    found += [
        f"{name} is red as well, which the catalogue does not say: {_short(said)}"
        for name, said in outcome.failed.items()
        if not any(is_case_of(check, name) for check in red)
    ]
    return found


def _short(message: str) -> str:
    text = "\n      ".join(message.strip().splitlines()[:12])
    return text if len(text) <= 1200 else f"{text[:1200]} …"
