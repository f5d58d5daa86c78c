"""What drills do to the components of a stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plumbline.errors import NotGivenError
from plumbline.patience import family
from plumbline.targets.base import Target
from plumbline.targets.compose import containers, engine
from plumbline.targets.compose.target import ComposeTarget
from plumbline.verification.checks import processes
from plumbline.verification.drills.stage import Stage

OUTAGE_S = 10.0
Act = Callable[[Stage], None]


def kill(*names: str) -> Act:
    """Kill all processes of components, which their supervisor starts again."""

    def act(stage: Stage) -> None:
        target = stage.target
        for name in names:
            target.kill(name)

    return act


def kill_a_process_of_each(stage: Stage) -> None:
    """Kill one server process of each of our components."""
    target = stage.target
    for one in processes.one_server_of_each(target.inside()):
        target.kill_process(one)


def stop(name: str) -> Act:
    """Stop a component, and start it again after a while."""

    def act(stage: Stage) -> None:
        target = stage.target
        target.stop(name)
        try:
            time.sleep(OUTAGE_S)
        finally:
            target.start(name)

    return act


def stall(name: str) -> Act:
    """Let all processes of a component stand still for a while."""

    def act(stage: Stage) -> None:
        with _standing_still(stage.target, name):
            time.sleep(OUTAGE_S)

    return act


@contextmanager
def _standing_still(target: Target, name: str) -> Iterator[None]:
    if isinstance(target, ComposeTarget):
        container = containers.one_of(target.project, name).id
        engine.output("pause", container, component=name)
        try:
            yield
        finally:
            engine.output("unpause", container, component=name)
        return
    found = family(target.component(name).pid)
    if not found:
        raise NotGivenError(f"the processes of {name} are not on this machine")
    for one in found:
        one.suspend()
    try:
        yield
    finally:
        for one in found:
            if one.is_running():
                one.resume()
