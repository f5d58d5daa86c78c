"""Bring up three nodes on this machine, deploy, run smoke and logs, and drill: `nox -s cluster`. Needs root."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from typing import TypeVar

from plumbline import ROOT, identity
from plumbline.errors import PlumblineError
from plumbline.verification.cluster import binaries, record
from plumbline.verification.cluster.cluster import running
from plumbline.verification.cluster.declared import DRILLS
from plumbline.verification.cluster.stage import ClusterStage, staged
from plumbline.verification.drills.declared import Drill
from plumbline.verification.drills.judge import WRITES_MIN
from plumbline.verification.drills.record import Row
from plumbline.verification.drills.run import run

Made = TypeVar("Made")

_SUITES = ("tests/smoke", "tests/logs")
_WHOLE_AGAIN_S = 120
_SHOWN = 20


def parser() -> argparse.ArgumentParser:
    """Return the command line of `nox -s cluster`."""
    made = argparse.ArgumentParser(prog="python -m plumbline.verification.cluster", description=__doc__)
    made.add_argument(
        "-k", action="append", metavar="TEXT", help="only drills with this in their name; may be repeated"
    )
    made.add_argument("--no-suites", action="store_true", help="leave out smoke and logs")
    made.add_argument("--no-drills", action="store_true", help="leave out the drills")
    made.add_argument("--record", action="store_true", help=f"keep the result as {record.RECORD.relative_to(ROOT)}")
    made.add_argument("--wait", action="store_true", help="show how to use the cluster, and keep it until Ctrl-C")
    return made


def main() -> int:
    """Return the exit code: 0 all passed, 1 something did not, 2 this machine cannot run a cluster."""
    options = parser().parse_args()
    if lacking := binaries.missing():
        for one in lacking:
            print(f"plumbline.verification.cluster: {one}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with _said("the cluster is up", running()) as cluster, _said("the stack is up", staged(cluster)) as made:
            if options.wait:
                return _wait(made)
            failed = not options.no_suites and not _suites(made)
            rows = {} if options.no_drills else _drills(made, options.k or [""], keeps=options.record)
    except PlumblineError as error:
        print(f"plumbline.verification.cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the cluster was removed", file=sys.stderr)
        return 130
    print(f"\n{record.summary(rows)}")
    return int(bool(failed or record.failed(rows)))


@contextmanager
def _said(words: str, manager: AbstractContextManager[Made]) -> Iterator[Made]:
    """Say when something has come up, and how long that took."""
    began = time.monotonic()
    with manager as made:
        print(f"{words:<30}{time.monotonic() - began:13.1f} s", flush=True)
        yield made


def _wait(made: ClusterStage) -> int:
    print(f"export KUBECONFIG={os.environ['KUBECONFIG']}")
    print(f"kubectl --namespace={made.namespace} get pods --output=wide")
    print(f"{sys.executable} -m plumbline status --home {made.home.root}")
    print(f"The front door: {made.stack.base_url}. Ctrl-C removes the cluster.", flush=True)
    while True:
        time.sleep(3600)


def _suites(made: ClusterStage) -> bool:
    """Run smoke and logs over the port-forwards, as a user would; return whether they passed."""
    command = [sys.executable, "-m", "pytest", *_SUITES, "--home", str(made.home.root)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def _drills(made: ClusterStage, names: list[str], *, keeps: bool) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for drill in DRILLS:
        if any(text in drill.name for text in names):
            rows[drill.name] = _drilled(drill, made)
            record.keep(rows, record.RECORD if keeps else record.RESULTS)
            if problems := identity.compare(made.stack.base_url, made.stack.stack_id, _WHOLE_AGAIN_S):
                raise PlumblineError(f"the stack is not whole after `{drill.name}`: {'; '.join(problems)}")
    return rows


def _drilled(drill: Drill, made: ClusterStage) -> Row:
    began = time.monotonic()
    print(f"{drill.name:<30}", end="", flush=True)
    verdict = run(drill, made, WRITES_MIN)
    print(f"{'FAILED' if verdict.findings else 'passed'} {time.monotonic() - began:6.1f} s", flush=True)
    for line in verdict.findings[:_SHOWN]:
        print(f"  {line}", flush=True)
    return asdict(replace(verdict, findings=verdict.findings[:_SHOWN]))


if __name__ == "__main__":
    sys.exit(main())
