"""What a target can do. A check never asks which one it runs on."""

from __future__ import annotations

from typing import Protocol

from plumbline.inside import Inside, Process
from plumbline.stack import Component, Stack


class Target(Protocol):
    """Carries out the steps of the plan, and stops and starts components by name."""

    name: str

    def problems(self) -> list[str]:
        """Return everything that stands in the way of a deployment, each with its way out. Changes nothing."""

    def unchanged(self) -> bool:
        """Say whether exactly this stack, from exactly these files, is up and ready."""

    def from_this_checkout(self) -> bool:
        """Say whether the stack was deployed from the files of this checkout as they are now."""

    def begin(self) -> None:
        """Remember that a deployment has begun, and which identity it has."""

    def run(self, step: str) -> str:
        """Carry out one step of the plan and return a few words on what was done. Raises StepError."""

    def down(self) -> list[str]:
        """Stop every component, last started first, and return the names of those that were running. Data stay."""

    def remove(self) -> list[str]:
        """Stop the stack and delete all it made: data, secrets, logs, state. Return what was kept, each in words."""

    def stack(self) -> Stack:
        """Return the stack as it is now."""

    def component(self, name: str) -> Component:
        """Return the state of one component."""

    def start(self, *components: str) -> None:
        """Start components and wait until each is ready. Raises StepError."""

    def stop(self, *components: str) -> None:
        """Stop components in order, and wait until each has ended."""

    def kill(self, component: str) -> None:
        """End a component's processes without warning, as a crash would. Whatever supervises it may restart it."""

    def kill_process(self, process: Process) -> None:
        """End one process of `inside` without warning. Whatever supervises it may start another."""

    def inside(self) -> Inside:
        """Return what runs in the components and what they listen on. Raises NotGivenError where that can't be seen."""

    def log_tail(self, component: str, lines: int) -> list[str]:
        """Return the last lines that a component, or a migration step, wrote."""

    def describe(self) -> dict[str, str]:
        """Return file name to text for a diagnostics bundle. Holds no secret."""
