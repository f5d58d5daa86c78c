"""Resolves settings.env to the variables of each component, or to its problems by line."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from servicekit.settings import ENV_PREFIX

from plumbline import ROOT, environment
from plumbline.components import OUR_OWN, SPECS
from plumbline.errors import PlumblineError
from plumbline.settings import file
from plumbline.settings.file import Line, Problem
from plumbline.settings.probe import MODELS

PARTS = tuple(MODELS)
_PYTHONPATH = (
    ROOT,
    *(ROOT / "services" / name for name in ("servicekit", *{SPECS[one].folder: None for one in OUR_OWN})),
)
_TIMEOUT_S = 300
Assignments = dict[str, dict[str, Line]]
"""Component to variable to the line that sets it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of the file: `parts` read it as `variable`. `default` is a description, "" if there is none."""

    name: str
    value: str
    variable: str
    parts: tuple[str, ...]
    default: str
    differs: bool

    @classmethod
    def remembered(cls, raw: Mapping[str, Any]) -> Setting:
        """Return a setting from the state file."""
        return cls(**{**raw, "parts": tuple(raw["parts"])})

    def line(self) -> str:
        """Format the setting for users."""
        return f"{self.name}={self.value} (default {self.default or 'none'})"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The settings of settings.env, general ones before those of a single component; or its problems."""

    settings: tuple[Setting, ...] = ()
    problems: list[str] = field(default_factory=list)

    def of(self, part: str) -> dict[str, str]:
        """Return the variables of a component."""
        return {one.variable: one.value for one in self.settings if part in one.parts}


NONE = Wanted()


@dataclass(frozen=True, slots=True)
class Name:
    """The meaning of a name in the file."""

    variable: str
    parts: tuple[str, ...]
    refusal: str = ""


def wanted(
    path: Path,
    *,
    refused: Mapping[str, str] | None = None,
    defaults: Mapping[str, Mapping[str, str]] | None = None,
) -> Wanted:
    """Read settings.env and check every line.

    `refused`: variables that the target does not support, with the reason. `defaults`: the target's own defaults by
    component, where they differ from the component's.
    """
    lines, problems = file.read(path)
    if not lines:
        return Wanted(problems=list(_format_problems(path, problems)))
    known = names()
    usable = []
    for line in lines:
        meant = known.get(line.name)
        if meant is None:
            problems.append(Problem(line.number, _unknown(line.name, known)))
        elif refusal := meant.refusal or (refused or {}).get(meant.variable):
            problems.append(Problem(line.number, f"{line.name} cannot be set: {refusal}"))
        else:
            usable.append((line, meant))
    usable.sort(key=lambda one: one[0].name != one[1].variable)
    assigned: Assignments = {part: {} for part in PARTS}
    for line, meant in usable:
        for part in meant.parts:
            assigned[part][meant.variable] = line
    answers = _probe({part: {name: line.value for name, line in lines.items()} for part, lines in assigned.items()})
    problems += _invalid(assigned, answers)
    if problems:
        return Wanted(problems=list(_format_problems(path, problems)))
    return Wanted(tuple(_setting(line, meant, assigned, answers, defaults or {}) for line, meant in usable))


def _invalid(assigned: Assignments, answers: Mapping[str, Any]) -> Iterator[Problem]:
    found: dict[tuple[Line, str], list[str]] = {}
    for part, answer in answers.items():
        for variable, words in answer["problems"].items():
            # A rule about several settings names none of them: report it for the first line.
            line = assigned[part].get(variable) or next(iter(assigned[part].values()))
            found.setdefault((line, words), []).append(part)
    for (line, words), parts in found.items():
        reads = [part for part, lines in assigned.items() if line in lines.values()]
        yield Problem(line.number, f"{line.name} {words}{'' if parts == reads else f', for {_and(parts)}'}")


def _setting(
    line: Line,
    meant: Name,
    assigned: Assignments,
    answers: Mapping[str, Any],
    defaults: Mapping[str, Mapping[str, str]],
) -> Setting:
    own = {part: defaults.get(part, {}).get(meant.variable) or default(part, meant.variable) for part in meant.parts}
    said = [f"{value} for {part}" for part, value in own.items()]
    differs = any(
        answers[part]["values"][meant.variable] != value
        for part, value in own.items()
        if assigned[part][meant.variable] is line
    )
    one = next(iter(own.values()))
    return Setting(
        line.name, line.value, meant.variable, meant.parts, one if {*own.values()} == {one} else _and(said), differs
    )


def _and(several: list[str]) -> str:
    return " and ".join([", ".join(several[:-1]), several[-1]] if several[1:] else several)


def names() -> dict[str, Name]:
    """Return every name of the file, and those that only the deployment sets, with the reason."""
    found: dict[str, Name] = {}
    general: dict[str, list[tuple[str, str]]] = {}
    for part, fields in described().items():
        for one in fields:
            variable, refusal = one["variable"], one["deployed"]
            found[_single(part, variable)] = Name(variable, (part,), refusal)
            general.setdefault(variable, []).append((part, refusal))
    for variable, several in general.items():
        free = tuple(part for part, refusal in several if not refusal)
        found[variable] = Name(variable, free, "" if free else several[0][1])
    return found


def _single(part: str, variable: str) -> str:
    """Return the name for a single component, such as PLUMBLINE_LOG_SINK_LOG_LEVEL."""
    return f"{ENV_PREFIX}{part.replace('-', '_').upper()}_{variable.removeprefix(ENV_PREFIX)}"


def described() -> dict[str, list[dict[str, Any]]]:
    """Return the fields of every component, from `servicekit.describe.fields`."""
    return {part: answer["fields"] for part, answer in _probe({}).items()}


def default(part: str, variable: str) -> str:
    """Return the default of a component's variable, as text."""
    return next(str(one["default"] or "") for one in described()[part] if one["variable"] == variable)


def _unknown(name: str, known: Mapping[str, Name]) -> str:
    free = [one.removeprefix(ENV_PREFIX) for one, meant in known.items() if not meant.refusal]
    near = difflib.get_close_matches(name.upper().removeprefix(ENV_PREFIX), free, n=1)
    where = f"did you mean {ENV_PREFIX}{near[0]}?" if near else "all names are in docs/generated/defaults.md"
    return f"there is no setting {name}: {where}"


def _format_problems(path: Path, problems: Iterable[Problem]) -> Iterator[str]:
    for one in sorted(problems, key=lambda problem: problem.number):
        yield f"{path}, line {one.number}: {one.words}" if one.number else f"{path} {one.words}"


def _probe(given: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_run_probe(json.dumps(given, sort_keys=True)))
    return answer


@cache
def _run_probe(question: str) -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "plumbline.settings.probe"],
            # Without the caller's environment: PLUMBLINE_ variables of a shell are not settings of this stack.
            env=environment.for_python(*_PYTHONPATH) | {"LC_ALL": "C.UTF-8"},
            cwd=ROOT, input=question, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PlumblineError(
            f"the settings of the services could not be read within {_TIMEOUT_S} s", "the same command again"
        ) from None
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-6:])
        raise PlumblineError(f"the settings of the services could not be read:\n{last}", "./deploy-local.sh doctor")
    return done.stdout
