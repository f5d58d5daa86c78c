"""Carries out the plan on a target: step by step, with times, and with a full account when a step fails."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from plumbline import ROOT, diagnose
from plumbline.errors import PlumblineError, StepError
from plumbline.home import DEFAULT_HOME, Home
from plumbline.plan import PLAN, Step
from plumbline.targets.base import Target

_LAST_LINES = 12


class PreflightError(PlumblineError):
    """Something that must be true is not; nothing was changed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def up(home: Home, target: Target, why: str) -> None:
    """Bring the stack up, or say that there is nothing to do. Raises PlumblineError; of a step, already shown."""
    begun = time.monotonic()
    if home.exists and target.unchanged():
        print(f"Already running, nothing changed ({time.monotonic() - begun:.1f} s).")
        _say_where(target, home)
        return
    print(f"Target {target.name} ({why}), home {home.root}")
    for number, step in enumerate(PLAN, start=1):
        with _shown(number, step, target, home) as detail:
            if step.name == "preflight":
                problems = target.problems()
                if problems:
                    raise PreflightError(problems)
                target.begin()
            else:
                detail.append(target.run(step.name))
    print(f"Ready in {time.monotonic() - begun:.1f} s.")
    _say_where(target, home)


@contextmanager
def _shown(number: int, step: Step, target: Target, home: Home) -> Iterator[list[str]]:
    """Show a step while it runs and its outcome with its time; account for a failure in full."""
    label = f"{number:>2}/{len(PLAN)} {step.name:<23}"
    live = sys.stdout.isatty()
    if live:
        print(f"{label} …", end="", flush=True)
    begun = time.monotonic()
    detail: list[str] = []
    start = "\r\033[K" if live else ""
    try:
        yield detail
    except PreflightError as error:
        print(f"{start}{label} FAILED {time.monotonic() - begun:6.2f} s", flush=True)
        _refuse(error, home)
        error.shown = True
        raise
    except (Exception, KeyboardInterrupt) as error:
        took = time.monotonic() - begun
        print(f"{start}{label} FAILED {took:6.2f} s", flush=True)
        _account_for(number, step, error, target, home)
        if isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, PlumblineError):
            error.shown = True
            raise
        unforeseen = StepError(f"unforeseen: {error!r}")
        unforeseen.shown = True
        raise unforeseen from error
    print(f"{start}{label} ok {time.monotonic() - begun:6.2f} s  {' '.join(detail)}".rstrip(), flush=True)


def _refuse(error: PreflightError, home: Home) -> None:
    count = len(error.problems)
    print(
        f"\nNothing was changed. {'One thing stands' if count == 1 else f'{count} things stand'} in the way:",
        file=sys.stderr,
    )
    for problem in error.problems:
        print(f"  - {home.named_in(problem)}", file=sys.stderr)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _account_for(number: int, step: Step, error: BaseException, target: Target, home: Home) -> None:
    """Say which step failed and how, what state everything is in, where all of it is written, and what to do next."""
    exit_code = error.exit_code if isinstance(error, StepError) else None
    culprit = error.component if isinstance(error, StepError) else None
    _say(f"\nStep {number} ({step.name}) failed, exit code {'none' if exit_code is None else exit_code}:")
    interrupted = isinstance(error, KeyboardInterrupt)
    reason = "interrupted" if interrupted else f"{error}" or error.__class__.__name__
    for line in reason.splitlines():
        _say(f"  {line}")
    _say("\nComponents:")
    try:
        _say_state(target, culprit)
    except PlumblineError as trouble:  # such as the engine going away, which made the step fail
        _say(f"  cannot be looked at: {trouble}")
    try:
        _say(f"\nEverything known: {diagnose.write_bundle(home, target, step.name, error)}")
    except OSError as trouble:  # such as the full disk that made the step fail
        _say(f"\nA diagnostics bundle could not be written: {trouble}")
    otherwise = "" if interrupted else "put right what the lines above name, then "
    hint = error.hint if isinstance(error, PlumblineError) else None
    _say(f"Next: {home.named_in(hint or f'{otherwise}./deploy-local.sh; it goes on from here')}")


def _say_state(target: Target, culprit: str | None) -> None:
    for component in target.stack().components:
        since = f"since {component.since}" if component.since else ""
        _say(f"  {component.name:<15} {component.state:<9} {since} {component.detail}".rstrip())
    tail = target.log_tail(culprit, _LAST_LINES) if culprit else []
    if tail:
        _say(f"\nLast lines of {culprit}:")
        for line in tail:
            _say(f"  {line}")


def _say_where(target: Target, home: Home) -> None:
    stack = target.stack()
    print(f"  front door  {stack.base_url}")
    print(f"  recorder    {stack.base_url}/logs/  as {stack.operator.username}, password in")
    print(f"              {stack.operator.password_file}")
    for line in stack.settings:
        print(f"  setting     {line}")
    at_home = "" if home.root == DEFAULT_HOME else f" -- --home {shlex.quote(str(home.root))}"
    print(f"  prove it    .venv-nox/bin/nox -s smoke{at_home}")
    if not (ROOT / ".venv-nox").exists():
        print("              after the line under 'Prove it' in README.md")
    print(f"  stop it     {home.named_in('./deploy-local.sh down')}")
