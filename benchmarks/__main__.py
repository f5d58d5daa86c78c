"""Run benchmarks: `python -m benchmarks [PART ...]`, all parts without arguments."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks import deploy, exports, sink
from benchmarks.batches import part as batches
from benchmarks.beside import part as beside
from benchmarks.door import part as door
from benchmarks.interference import part as interference
from benchmarks.keys import part as keys
from benchmarks.lists import part as lists
from benchmarks.load.round import LoadError
from benchmarks.report import Report
from benchmarks.routes import part as routes
from benchmarks.routes.compare import Timing
from plumbline import ROOT
from plumbline.errors import PlumblineError

PARTS = ("routes", "door", "keys", "lists", "batches", "exports", "sink", "interference", "deploy")
BESIDE = "beside"
"""The part that needs another checkout; it is not among those that run without a name."""
RESULTS = ROOT / "test-artifacts" / "benchmarks.json"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        choices=[*PARTS, BESIDE, []],
        metavar="PART",
        help=f"any of {', '.join(PARTS)}; or {BESIDE}, with --checkout",
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds a side (default: 7)")
    parser.add_argument("--seconds", type=float, default=0.4, help="length of a round (default: 0.4)")
    parser.add_argument("--checkout", type=Path, metavar="DIR", help=f"the other checkout, of `{BESIDE}`")
    parser.add_argument("--only", default="", metavar="TEXT", help="routes and lists that contain this")
    parser.add_argument(
        "--slices", type=int, default=interference.SLICES,
        help=f"slices a side of `interference` (default: {interference.SLICES})",
    )  # fmt: skip
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="after this time no further part begins (default: 60)"
    )
    return parser


def main() -> int:
    """Measure the parts that the command line names; return 1 if one could not be measured."""
    options = parser().parse_args()
    if options.slices < 1:
        parser().error("--slices: at least 1")
    if (options.checkout is None) == (BESIDE in options.parts):
        parser().error(f"`{BESIDE}` and --checkout need each other")
    timing = Timing(options.rounds, options.seconds)
    report, begun = Report(), time.monotonic()
    left = list(options.parts or PARTS)
    try:
        while left and time.monotonic() - begun < 60 * options.minutes:
            part = left.pop(0)
            if part == BESIDE:
                beside.run(report, timing, options.checkout.absolute(), options.only)
            else:
                _run(part, report, timing, options.only, options.slices)
    except (LoadError, PlumblineError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    finally:
        report.write(RESULTS)
    if left:
        report.say(f"{options.minutes:g} minutes are over. Not measured: {', '.join(left)}.")
    report.say(f"Took {time.monotonic() - begun:.0f} s. As data: {RESULTS.relative_to(ROOT)}")
    return 0


def _run(part: str, report: Report, timing: Timing, only: str, slices: int) -> None:
    match part:
        case "routes":
            routes.run(report, timing, only)
        case "door":
            door.run(report, timing, only)
        case "keys":
            keys.run(report, timing, only)
        case "lists":
            lists.run(report, timing, only)
        case "batches":
            batches.run(report)
        case "exports":
            exports.run(report)
        case "sink":
            sink.run(report)
        case "interference":
            interference.run(report, slices)
        case "deploy":
            deploy.run(report)


if __name__ == "__main__":
    sys.exit(main())
