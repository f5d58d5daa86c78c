"""`status` and `doctor`: the state of a stack, and what is wrong with it or its machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace

from servicekit import facts

from plumbline import diagnose, identity
from plumbline.backups import age
from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.plan import lineup_of
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.targets.choose import choose, deployed
from plumbline.terminal import EXIT_FAILED, EXIT_NOT_RUNNING, EXIT_OK, WIDTH


def status(options: argparse.Namespace, home: Home) -> int:
    """Print the state of the stack and of each component."""
    if options.json and not home.exists:
        print(json.dumps({"phase": "absent", "home": str(home.root), "components": []}))
        return EXIT_NOT_RUNNING
    if not home.exists:
        print(home.fitted(f"absent: there is no stack in {home.root}. Next: ./deploy-local.sh brings one up"))
        return EXIT_NOT_RUNNING
    target = deployed(home)
    stack = target.stack()
    if options.json:
        print(json.dumps({**stack.as_json(), "newest_verified_backup": age.newest(home, target).as_json()}, indent=2))
        return EXIT_OK if stack.running else EXIT_NOT_RUNNING
    print(home.fitted(_headline(stack, home)))
    print(home.note(f"deployment {stack.stack_id}, target {stack.target}, {stack.public_url or stack.base_url}"))
    for line in _notes(stack, home, target):
        print(home.note(line))
    for component in stack.components:
        print(replace(component, detail=home.with_home_option(component.detail)).text(WIDTH))
    return EXIT_OK if stack.running else EXIT_NOT_RUNNING


def _headline(stack: Stack, home: Home) -> str:
    others = [one for one in stack.components if one.state != "running"]
    match stack.phase:
        case "ready" if others:
            said = f"incomplete: {len(others)} of {len(stack.components)} components are not running"
            return f"{said}. Next: ./deploy-local.sh"
        case "ready":
            return f"ready: all {len(stack.components)} components are running"
        case "deploying":
            worker = home.lock_holder()
            if worker:
                return f"deploying: {worker} is at work"
            return "unfinished: the last deployment was broken off. Next: ./deploy-local.sh"
        case _:
            return f"{stack.phase}: ./deploy-local.sh starts it"


def _notes(stack: Stack, home: Home, target: Target) -> Iterator[str]:
    if stack.release:
        yield f"on the {stack.release}: ./deploy-local.sh rollback --forward brings this release and its data back"
    for line in stack.settings:
        yield f"setting: {line}"
    if not stack.release:
        yield f"backup: {age.newest(home, target).line()}"


def doctor(options: argparse.Namespace, home: Home) -> int:
    """Print what prevents a deployment, and what is wrong with the stack."""
    if options.repair and home.exists:
        with home.lock("doctor"):
            print("The state file was restored from its copy." if home.repair() else "The state file needs no repair.")
    target, why = choose("auto", home)
    print(home.fitted(f"Plumbline {facts.VERSION}, target {target.name} ({why})\nHome {home.root}"))
    problems = target.problems()
    down = []
    examined = ["what a deployment needs of this machine (step preflight)"]
    if home.exists:
        try:
            stack = target.stack()
            down = _not_running(stack)
            examined += [f"{len(stack.components)} components", "their identity at the front door", "the last backup"]
            for line in _notes(stack, home, target):
                print(home.note(line))
        except StepError as error:
            problems += [] if problems else [str(error)]  # probably caused by one of them
    for problem in [*problems, *down]:
        print(home.fitted(problem, "  - ", "    "))
    if down:
        print(home.fitted("Next: ./deploy-local.sh starts what is not running"))
    problems += down
    if not problems:
        print("  no problems found" + ("" if home.exists else "; no stack has been deployed yet"))
        print(home.note(f"examined: {', '.join(examined)}"))
        if home.exists and not target.unchanged():
            print(home.fitted("Next: ./deploy-local.sh applies what has changed since the last deployment"))
    if options.bundle and home.exists:
        print(f"Bundle: {diagnose.write_bundle(home, target, 'doctor')}")
    return EXIT_FAILED if problems else EXIT_OK


def _not_running(stack: Stack) -> list[str]:
    found = [
        f"{one.name} is {one.state}{f': {one.detail}' if one.detail else ''}"
        for one in stack.components
        if one.state != "running"
    ]
    return (
        found
        if not stack.running
        else identity.compare(stack.base_url, stack.stack_id, paths=lineup_of(stack.release).health_paths)
    )
