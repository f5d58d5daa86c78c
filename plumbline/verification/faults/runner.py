"""Puts each fault into a stack, makes the checks and judges: two stacks side by side, one fault at a time in each."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from plumbline.errors import PlumblineError
from plumbline.verification.faults import checks, static
from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import FRESH, UP, CatalogueError, Fault
from plumbline.verification.faults.judge import Outcome, complaints
from plumbline.verification.faults.product import DoesNotStartError, Product


@dataclass(frozen=True, slots=True)
class Task:
    """A fault of an area."""

    area: Area
    fault: Fault


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with how a fault was seen; nothing if it was seen as it should be."""

    task: Task
    wrong: list[str]
    seconds: float


class Spoiled(Exception):  # noqa: N818
    """A stack without any fault is red, so nothing that is said of one with a fault would mean anything."""


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """Return the tasks so that faults of the same part follow each other: one restart takes one out and puts one in."""

    def place(task: Task) -> tuple[bool, bool, bool, tuple[str, ...]]:
        restarts = task.fault.how.restarts
        return FRESH in restarts, UP in restarts, task.area.static is not None, restarts

    return sorted(tasks, key=place)


def run(tasks: list[Task], report: Callable[[Verdict], None], *, workers: int, quick: bool) -> list[str]:
    """Judge every task and report each verdict as it comes; return what kept workers from their work.

    Unless it is to be `quick`, each stack has to be green before the first fault and after the last.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in in_order(tasks):
        waiting.put(task)
    stop = threading.Event()
    ended: queue.SimpleQueue[None] = queue.SimpleQueue()
    troubles: list[str] = []

    def work() -> None:
        try:
            _Worker(waiting, stop, report, quick=quick).work()
        except Exception as error:
            troubles.append(f"{error}" if isinstance(error, Spoiled) else f"{error.__class__.__name__}: {error}")
            stop.set()
        finally:
            ended.put(None)

    threads = [threading.Thread(target=work, name=f"stack-{number}") for number in range(min(workers, len(tasks)))]
    for thread in threads:
        thread.start()
    at_work = len(threads)
    try:
        # Not Thread.join: after an interruption, Python 3.11 takes a thread for ended that still works.
        while at_work:
            ended.get()
            at_work -= 1
    except KeyboardInterrupt:
        print("interrupted: the stacks are removed", file=sys.stderr, flush=True)
        stop.set()
        for _ in range(at_work):
            ended.get()
        print(*troubles, sep="\n", file=sys.stderr, flush=True)
        raise
    return troubles


class _Worker:
    """One stack, and the tasks that are done on it."""

    def __init__(
        self,
        waiting: queue.SimpleQueue[Task],
        stop: threading.Event,
        report: Callable[[Verdict], None],
        *,
        quick: bool,
    ) -> None:
        self._waiting = waiting
        self._stop = stop
        self._report = report
        self._quick = quick
        self._stack: Product | None = None
        self._files: Product | None = None

    def work(self) -> None:
        """Do tasks until there is none left, or another worker met trouble."""
        try:
            while not self._stop.is_set():
                try:
                    task = self._waiting.get_nowait()
                except queue.Empty:
                    break
                begun = time.monotonic()
                wrong = self._judged(task)
                self._report(Verdict(task, wrong, time.monotonic() - begun))
            if self._stack is not None and not self._stop.is_set():
                self._stack.change_to(None)
                self._expect_green("after the last fault")
        finally:
            self._remove()
            if self._files is not None:
                self._files.remove()

    def _remove(self) -> None:
        if self._stack is not None:
            stack, self._stack = self._stack, None
            stack.remove()

    def _judged(self, task: Task) -> list[str]:
        try:
            outcome = self._static(task) if task.area.static else self._on_the_stack(task)
        except CatalogueError as error:
            return [str(error)]
        except PlumblineError as error:
            # The next fault gets a new stack: what state this one is in cannot be known.
            self._remove()
            return [f"it could not be judged: {error}"]
        return complaints(task.fault.red, outcome)

    def _static(self, task: Task) -> Outcome:
        if self._files is None:
            self._files = Product(with_stack=False)
        self._files.change_to(task.fault)
        return static.outcome(self._files, task.area.static or "", task.fault.red)

    def _on_the_stack(self, task: Task) -> Outcome:
        if self._stack is None:
            self._stack = Product()
            self._stack.deploy()
            self._expect_green("before the first fault")
        try:
            self._stack.change_to(task.fault)
        except DoesNotStartError as error:
            return Outcome(failed={error.check: str(error)})
        return checks.run(
            self._stack.home, self._stack.checkout, () if task.fault.only else task.area.modules, task.fault.red
        )

    def _expect_green(self, when: str) -> None:
        if self._stack is None or self._quick:
            return
        outcome = checks.run(self._stack.home, self._stack.checkout, checks.SUITES)
        if outcome.failed or not outcome.passed:
            red = "\n".join(f"{name}: {said}" for name, said in outcome.failed.items())
            raise Spoiled(f"a stack without a fault is red {when}:\n{red}")
