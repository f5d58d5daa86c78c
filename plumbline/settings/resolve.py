"""From the lines of settings.env to what each part is told, or to sentences that say what is wrong with which line."""

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
_PLACES = (ROOT, *(ROOT / "services" / name for name in ("servicekit", *{SPECS[one].folder: None for one in OUR_OWN})))
_PATIENCE_S = 60
Told = dict[str, dict[str, Line]]
"""Part to variable to the line that says it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of the file: `parts` read it as `variable`. `default` is in words, "" is none."""

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
        """Return what a person is shown."""
        return f"{self.name}={self.value} (default {self.default or 'none'})"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What settings.env asks for, general settings before those of a single part; or what is wrong with it."""

    settings: tuple[Setting, ...] = ()
    problems: list[str] = field(default_factory=list)

    def of(self, part: str) -> dict[str, str]:
        """Return the variables that a part is told."""
        return {one.variable: one.value for one in self.settings if part in one.parts}


NONE = Wanted()


@dataclass(frozen=True, slots=True)
class Name:
    """What a name in the file means."""

    variable: str
    parts: tuple[str, ...]
    refusal: str = ""


def wanted(
    path: Path,
    *,
    refused: Mapping[str, str] | None = None,
    defaults: Mapping[str, Mapping[str, str]] | None = None,
) -> Wanted:
    """Read settings.env and check every line of it.

    `refused` gives the reason for each variable that a target has no use for; `defaults` what a target tells its parts
    where it differs from the parts' own defaults.
    """
    lines, problems = file.read(path)
    if not lines:
        return Wanted(problems=list(_sentences(path, problems)))
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
    told: Told = {part: {} for part in PARTS}
    for line, meant in usable:
        for part in meant.parts:
            told[part][meant.variable] = line
    answers = _ask({part: {name: line.value for name, line in lines.items()} for part, lines in told.items()})
    problems += _invalid(told, answers)
    if problems:
        return Wanted(problems=list(_sentences(path, problems)))
    return Wanted(tuple(_setting(line, meant, told, answers, defaults or {}) for line, meant in usable))


def _invalid(told: Told, answers: Mapping[str, Any]) -> Iterator[Problem]:
    found: dict[tuple[Line, str], list[str]] = {}
    for part, answer in answers.items():
        for variable, words in answer["problems"].items():
            # A rule about several settings names none of them; the first one leads to the rest.
            line = told[part].get(variable) or next(iter(told[part].values()))
            found.setdefault((line, words), []).append(part)
    for (line, words), parts in found.items():
        reads = [part for part, lines in told.items() if line in lines.values()]
        yield Problem(line.number, f"{line.name} {words}{'' if parts == reads else f', for {_and(parts)}'}")


def _setting(
    line: Line, meant: Name, told: Told, answers: Mapping[str, Any], defaults: Mapping[str, Mapping[str, str]]
) -> Setting:
    own = {part: defaults.get(part, {}).get(meant.variable) or _default(part, meant.variable) for part in meant.parts}
    said = [f"{default} for {part}" for part, default in own.items()]
    differs = any(
        answers[part]["values"][meant.variable] != default
        for part, default in own.items()
        if told[part][meant.variable] is line
    )
    one = next(iter(own.values()))
    return Setting(
        line.name, line.value, meant.variable, meant.parts, one if {*own.values()} == {one} else _and(said), differs
    )


def _and(several: list[str]) -> str:
    return " and ".join([", ".join(several[:-1]), several[-1]] if several[1:] else several)


def names() -> dict[str, Name]:
    """Return every name that the file may hold, and those that only the deployment sets, with the reason."""
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
    """Return the name that addresses one part alone: PLUMBLINE_LOG_SINK_LOG_LEVEL."""
    return f"{ENV_PREFIX}{part.replace('-', '_').upper()}_{variable.removeprefix(ENV_PREFIX)}"


def described() -> dict[str, list[dict[str, Any]]]:
    """Return the fields of every part, as `servicekit.describe.fields` says them."""
    return {part: answer["fields"] for part, answer in _ask({}).items()}


def _default(part: str, variable: str) -> str:
    return next(str(one["default"] or "") for one in described()[part] if one["variable"] == variable)


def _unknown(name: str, known: Mapping[str, Name]) -> str:
    free = [one.removeprefix(ENV_PREFIX) for one, meant in known.items() if not meant.refusal]
    near = difflib.get_close_matches(name.upper().removeprefix(ENV_PREFIX), free, n=1)
    where = f"did you mean {ENV_PREFIX}{near[0]}?" if near else "all names are in docs/generated/defaults.md"
    return f"there is no setting {name}: {where}"


def _sentences(path: Path, problems: Iterable[Problem]) -> Iterator[str]:
    for one in sorted(problems, key=lambda problem: problem.number):
        yield f"{path}, line {one.number}: {one.words}" if one.number else f"{path} {one.words}"


def _ask(given: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_asked(json.dumps(given, sort_keys=True)))
    return answer


@cache
def _asked(question: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "plumbline.settings.probe"],
        # Nothing of the caller's: a PLUMBLINE_ variable in a shell is no setting of this stack.
        env=environment.for_python(*_PLACES) | {"LC_ALL": "C.UTF-8"},
        cwd=ROOT, input=question, capture_output=True, text=True, check=False, timeout=_PATIENCE_S,
    )  # fmt: skip
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-6:])
        raise PlumblineError(f"the services cannot say which settings they have:\n{last}", "./deploy-local.sh doctor")
    return done.stdout
