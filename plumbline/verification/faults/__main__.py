"""`python -m plumbline.verification.faults`: put every fault of the catalogue into a stack, and see it seen."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
import time
from typing import Any

from plumbline.targets.kubernetes import kustomize
from plumbline.verification.faults import static
from plumbline.verification.faults.areas import areas
from plumbline.verification.faults.fault import CatalogueError
from plumbline.verification.faults.runner import Task, Verdict, run
from plumbline.verification.report import record

_NAME_WIDTH = 60
_INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """Return the command line of `nox -s selfcheck`."""
    made = argparse.ArgumentParser(prog="python -m plumbline.verification.faults", description=__doc__)
    made.add_argument("-k", metavar="WORD", action="append", help="only faults with this word in their name or area")
    made.add_argument("--sample", action="store_true", help="only the first fault of each area")
    made.add_argument("--workers", type=int, default=2, metavar="N", help="stacks side by side (default: 2)")
    made.add_argument("--list", action="store_true", help="print the catalogue and end")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0 every fault was seen as expected, 1 one was not, 2 wrong usage, 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        tasks = _chosen(options.k or [], sample=options.sample)
    except CatalogueError as error:
        print(f"the catalogue is wrong: {error}", file=sys.stderr)
        return 1
    if not tasks:
        print(f"no fault has {' or '.join(options.k or [])} in its name", file=sys.stderr)
        return 2
    if options.list:
        for task in tasks:
            print(f"{task.area.title}: {task.fault.name}: {task.fault.what}")
        return 0
    left_out = [task for task in tasks if task.area.static == static.MANIFESTS and kustomize.tool() is None]
    tasks = [task for task in tasks if task not in left_out]
    if left_out:
        print(f"{len(left_out)} faults are left out: {kustomize.NO_TOOL}", flush=True)
    if not tasks:
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill removes the stacks, too
    report = _Report(record.of_this_process())
    try:
        troubles = run(tasks, report, workers=options.workers, quick=options.sample)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return report.end(tasks, troubles, left_out)


def _as_a_check(verdict: Verdict) -> dict[str, Any]:
    """Return what the report of a nox run says of a fault."""
    fault, wrong = verdict.task.fault, "\n".join(verdict.wrong)
    explained = {
        "component": verdict.task.area.title,
        "expected": f"red: {', '.join(fault.red)}",
        "found": wrong,
        "next": f"nox -s selfcheck -- -k {shlex.quote(fault.name)}",
    }
    return {
        "name": f"fault {fault.name}",
        "claim": f"the checks notice if {fault.what}",
        "guards": "checks that stay green whatever happens",
        "outcome": "failed" if wrong else "passed",
        "seconds": round(verdict.seconds, 3),
        "explained": explained if wrong else {},
    }


def _chosen(words: list[str], *, sample: bool) -> list[Task]:
    tasks = []
    for area in areas():
        found = [
            one for one in area.faults if not words or any(word in one.name or word in area.title for word in words)
        ]
        # What needs a program that renders manifests has a session of its own.
        left_out = sample and area.static == static.MANIFESTS
        tasks += [] if left_out else [Task(area, one) for one in (found[:1] if sample else found)]
    return tasks


class _Report:
    """Prints a line for each fault as it is judged, and in the end a table and what went wrong."""

    def __init__(self, writer: record.Record | None) -> None:
        self._record = writer
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._verdicts: list[Verdict] = []

    def __call__(self, verdict: Verdict) -> None:
        """Print a fault's line."""
        with self._lock:
            self._verdicts.append(verdict)
            word = "NOT SEEN" if verdict.wrong else "seen"
            name = verdict.task.fault.name
            print(f"{name:.<{_NAME_WIDTH}} {word:<8} {verdict.seconds:6.1f} s", flush=True)
            if verdict.wrong:
                print(f"  {verdict.task.fault.what}", *verdict.wrong, sep="\n  - ", flush=True)
            if self._record is not None:
                self._record.write("check", **_as_a_check(verdict))

    def end(self, tasks: list[Task], troubles: list[str], left_out: list[Task]) -> int:
        """Print the account; return the exit code."""
        wrong = [one.task.fault.name for one in self._verdicts if one.wrong]
        print(f"\n{'area':<20} faults   seen")
        for title in dict.fromkeys(task.area.title for task in tasks):
            of_area = [one for one in self._verdicts if one.task.area.title == title]
            print(f"{title:<20} {len(of_area):>6} {sum(not one.wrong for one in of_area):>6}")
        seen = len(self._verdicts) - len(wrong)
        print(f"{seen} of {len(tasks)} seen as the catalogue says, in {time.monotonic() - self._begun:.0f} s.")
        if left_out:
            areas_left_out = ", ".join(dict.fromkeys(task.area.title for task in left_out))
            print(f"{len(left_out)} of {areas_left_out} left out, not seen: {kustomize.NO_TOOL}")
        for name in wrong:
            print(f"again: nox -s selfcheck -- -k {shlex.quote(name)}")
        for trouble in troubles:
            print(f"\n{trouble}", file=sys.stderr)
        return 1 if wrong or troubles or len(self._verdicts) != len(tasks) else 0


if __name__ == "__main__":
    sys.exit(main())
