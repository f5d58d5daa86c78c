"""Runs the steps of the plan on a target, prints their times, and reports failures."""

from __future__ import annotations

import shlex
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline import ROOT, component_log, diagnose
from plumbline.backups import archive, backup
from plumbline.backups.upgrade import before_migrations
from plumbline.components import MIGRATING, POSTGRES, migration_step
from plumbline.errors import PlumblineError, StepError
from plumbline.home import DEFAULT_HOME, Home
from plumbline.plan import Step
from plumbline.targets.base import Target
from plumbline.terminal import WIDTH, wrapped

_LAST_LINES = 12


class PreflightError(PlumblineError):
    """Preflight found problems; nothing was changed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def up(home: Home, target: Target, why: str) -> None:
    """Bring the stack up, or print that nothing changed. Raises PlumblineError; that of a step is already printed."""
    started = time.monotonic()
    if home.exists and target.unchanged():
        print(f"Already running, nothing changed ({time.monotonic() - started:.1f} s).")
        _print_addresses(target, home)
        return
    print(home.fitted(f"Target {target.name} ({why})\nHome {home.root}"))
    for number, step in enumerate(target.lineup.plan, start=1):
        with _running_step(number, step, target, home) as detail:
            if step.name == "preflight":
                problems = target.problems()
                if problems:
                    raise PreflightError(problems)
                target.begin()
            elif step.name == migration_step(MIGRATING[0]):
                kept = before_migrations(target)
                detail += [target.run(step.name), *([kept] if kept else [])]
            else:
                detail.append(target.run(step.name))
                if POSTGRES.name in step.components:
                    detail += _restored(home, target)
    print(f"Ready in {time.monotonic() - started:.1f} s.")
    _print_addresses(target, home)


def _restored(home: Home, target: Target) -> list[str]:
    """Bring back the data that was dropped on the way to the baseline."""
    restore = home.load().restore
    if not restore:
        return []
    backup.restored(target, archive.opened(Path(restore)))
    target.database_restored()
    return [f"restored from {restore}"]


@contextmanager
def _running_step(number: int, step: Step, target: Target, home: Home) -> Iterator[list[str]]:
    """Print a step while it runs and its outcome with its time; report a failure."""
    label = f"{number:>2}/{len(target.lineup.plan)} {step.name:<23}"
    live = sys.stdout.isatty()
    if live:
        print(f"{label} …", end="", flush=True)
    started = time.monotonic()
    detail: list[str] = []
    start = "\r\033[K" if live else ""
    try:
        yield detail
    except PreflightError as error:
        print(f"{start}{label} FAILED {time.monotonic() - started:6.2f} s", flush=True)
        _print_problems(error, home)
        error.shown = True
        raise
    except (Exception, KeyboardInterrupt) as error:
        took = time.monotonic() - started
        print(f"{start}{label} FAILED {took:6.2f} s", flush=True)
        _report_failure(number, step, error, target, home)
        if isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, PlumblineError):
            error.shown = True
            raise
        unexpected = StepError(f"unexpected error: {error!r}")
        unexpected.shown = True
        raise unexpected from error
    print(start + _outcome(f"{label} ok {time.monotonic() - started:6.2f} s  ", " ".join(detail)), flush=True)


def _outcome(said: str, detail: str) -> str:
    """Return a line that fits a terminal; what does not fit goes below, in the column of the detail."""
    return wrapped(detail, said, " " * len(said)) if detail else said.rstrip()


def _print_problems(error: PreflightError, home: Home) -> None:
    count = len(error.problems)
    print(f"\nNothing was changed. Fix {'this problem' if count == 1 else f'these {count} problems'}:", file=sys.stderr)
    for problem in error.problems:
        print(home.fitted(problem, "  - ", "    "), file=sys.stderr)


def _print_error(text: str) -> None:
    print(text, file=sys.stderr)


def _report_failure(number: int, step: Step, error: BaseException, target: Target, home: Home) -> None:
    """Print which step failed and how, the state of all components, the diagnostics bundle, and what to do next."""
    exit_code = error.exit_code if isinstance(error, StepError) else None
    component_at_fault = error.component if isinstance(error, StepError) else None
    interrupted = isinstance(error, KeyboardInterrupt)
    if interrupted:
        _print_error(f"\nStep {number} ({step.name}) was interrupted.")
    else:
        with_code = "" if exit_code is None else f", exit code {exit_code}"
        _print_error(f"\nStep {number} ({step.name}) failed{with_code}:")
        _print_error(home.fitted(str(error) or error.__class__.__name__, "  ", "  "))
    _print_error("\nComponents:")
    try:
        _print_state(target, component_at_fault)
    except PlumblineError as trouble:  # may have the same cause, such as an unavailable engine
        _print_error(f"  unknown: {trouble}")
    try:
        _print_error(f"\nDiagnostics bundle: {diagnose.write_bundle(home, target, step.name, error)}")
    except OSError as trouble:  # may have the same cause, such as a full disk
        _print_error(f"\nA diagnostics bundle could not be written: {trouble}")
    otherwise = "" if interrupted else "fix the problem above, then run "
    hint = error.hint if isinstance(error, PlumblineError) else None
    _print_error(home.fitted(f"Next: {hint or f'{otherwise}./deploy-local.sh; it continues with this step'}"))


def _print_state(target: Target, component_at_fault: str | None) -> None:
    for component in target.stack().components:
        _print_error(component.text(WIDTH))
    tail = target.log_tail(component_at_fault, _LAST_LINES) if component_at_fault else []
    if tail:
        _print_error(f"\nLast lines of {component_at_fault}:")
        for line in tail:
            _print_error(textwrap.indent(component_log.readable(line), "  "))


def _print_addresses(target: Target, home: Home) -> None:
    stack = target.stack()
    print(f"  front door  {stack.public_url or stack.base_url}")
    if stack.ca_file:
        print(f"              on this machine {stack.base_url}, certified by")
        print(f"              {stack.ca_file}")
    print(f"  recorder    {stack.base_url}/logs/  as {stack.operator.username}, password in")
    print(f"              {stack.operator.password_file}")
    for line in stack.settings:
        print(f"  setting     {line}")
    stop = home.with_home_option("./deploy-local.sh down")
    if stack.release:
        print(home.with_home_option(f"  {stack.release:<11} not this release: ./deploy-local.sh rollback --forward"))
        print(f"  stop it     {stop}")
        return
    at_home = "" if home.root == DEFAULT_HOME else f" -- --home {shlex.quote(str(home.root))}"
    print(f"  verify it   .venv-nox/bin/nox -s smoke{at_home}")
    if not (ROOT / ".venv-nox").exists():
        print("              after the line under 'Verify it' in README.md")
    print(f"  stop it     {stop}")
