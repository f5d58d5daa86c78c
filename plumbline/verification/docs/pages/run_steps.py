"""docs/generated/run-steps.md: the plan, how each target carries it out, the commands and their exit codes."""

from __future__ import annotations

from collections.abc import Iterator

from servicekit import facts as shared

from plumbline import terminal
from plumbline.components import OUR_OWN, SPECS, TABLE
from plumbline.plan import PLAN
from plumbline.targets.choose import TARGETS
from plumbline.targets.embedded.programs import service_command
from plumbline.verification.docs import words
from plumbline.verification.docs.commands import Command, commands
from plumbline.verification.docs.markdown import code, codes, sentence, table

_INTRODUCTION = """\
# Run steps

`./deploy-local.sh` carries out the plan below, in this order, and stops at the first step that fails. After an
interruption, run the same command again: it continues where it stopped.

"""


def page() -> str:
    """Return the page."""
    return _INTRODUCTION + "\n".join([*_plan(), *_components(), *_commands(), *_exit_codes()])


def _plan() -> Iterator[str]:
    rows = [
        (str(number), code(step.name), step.does, sentence(step.changes), codes(step.components))
        for number, step in enumerate(PLAN, start=1)
    ]
    yield "## The plan\n\n" + table(("", "step", "what it does", "what it changes", "leaves running"), rows)
    ways = words.load("steps")
    words.require(ways, set(TARGETS) - {"auto"}, "steps", "targets")
    for target, described in ways.items():
        words.require(described, [step.name for step in PLAN], "steps", f"steps of the plan on target {target}")
        yield f"## On target {target}\n\n" + table(
            ("step", "how"), [(code(step.name), described[step.name]) for step in PLAN]
        )


def _components() -> Iterator[str]:
    rows = [
        (
            code(one.name),
            one.does,
            codes(f"{port.name} {port.number}" for port in one.ports),
            codes(one.needs),
            codes(one.calls),
            f"SIG{one.stop_signal}, {one.stop_wait_s} s",
        )
        for one in TABLE
    ]
    yield (
        "## Components\n\nPorts have these numbers in containers; `embedded` takes free ones. A component that has not "
        "stopped after the time\nbeside its signal is killed.\n\n"
        + table(("component", "what it is", "ports", "starts after", "connects to", "stops by"), rows)
    )


def _commands() -> Iterator[str]:
    yield "## Commands\n\nWithout a command, `./deploy-local.sh` runs `up`.\n"
    for command in commands().values():
        yield f"### {command.name}\n\n{sentence(command.does)}\n\n" + _options(command)


def _options(command: Command) -> str:
    rows = [
        (code(f"{', '.join(option.flags)} {option.value}".strip()), sentence(option.does)) for option in command.options
    ]
    return table(("option", "what it does"), rows) if rows else "It has no options.\n"


def _exit_codes() -> Iterator[str]:
    described = words.load("exits")
    yield "## Exit codes\n\nOf `./deploy-local.sh`:\n\n" + _codes(vars(terminal), described["cli"])
    lines = [
        code("python " + " ".join(service_command(name, verb)[1:]))
        for name in OUR_OWN
        for verb in sorted({SPECS[name].command, *(("migrate", "wait") if SPECS[name].migration else ())})
    ]
    yield f"Of the services' own commands ({', '.join(lines)}):\n\n" + _codes(vars(shared), described["services"])


def _codes(there: dict[str, object], described: dict[str, str]) -> str:
    values = {name: value for name, value in there.items() if name.startswith("EXIT_")}
    words.require(described, values, "exits", "exit codes")
    return table(("code", "meaning"), [(code(str(value)), sentence(described[name])) for name, value in values.items()])
