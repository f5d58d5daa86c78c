"""Measure how well values are read: `python -m tests.data`. `--write FOLDER` writes the documents instead."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline import ROOT, deploy
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.stack import Stack
from plumbline.targets.choose import TARGETS, choose
from plumbline.verification import accuracy
from tests.data.corpus import Document, corpus
from tests.data.scores import Score

_RESULTS = ROOT / "test-artifacts" / "accuracy.json"
_PAGES = 300
_SEED = 1


def parser() -> argparse.ArgumentParser:
    """Return the command line of `nox -s accuracy`."""
    made = argparse.ArgumentParser(prog="python -m tests.data", description=__doc__)
    made.add_argument("--pages", type=int, default=_PAGES, help=f"pages of the corpus (default: {_PAGES})")
    made.add_argument("--seed", type=int, default=_SEED, help=f"another seed makes another corpus (default: {_SEED})")
    made.add_argument("-k", default="", metavar="TEXT", help="only documents whose name contains this")
    made.add_argument("--target", choices=("auto", *TARGETS), default="embedded", help="target of the new stack")
    made.add_argument("--write", type=Path, metavar="FOLDER", help="write the documents there, and measure nothing")
    made.add_argument("--record", action="store_true", help=f"keep the result as {accuracy.RECORD.relative_to(ROOT)}")
    return made


def main() -> int:
    """Return the exit code: 0 measured, 1 the stack did not come up."""
    options = parser().parse_args()
    documents = [one for one in corpus(options.pages, options.seed) if options.k in one.name]
    if options.write:
        options.write.mkdir(parents=True, exist_ok=True)
        for document in documents:
            (options.write / document.name).write_bytes(document.file().content)
        return 0
    try:
        with _stack(options.target) as stack:
            record, wrong = _measured(stack, documents, options.seed)
    except PlumblineError as error:
        print(f"tests.data: {error}", file=sys.stderr)
        return 1
    _RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps(record, indent=1) + "\n"
    (accuracy.RECORD if options.record else _RESULTS).write_text(text, encoding="utf-8")
    print("\n".join(["", *wrong, "", accuracy.tables(record)]))
    return 0


@contextmanager
def _stack(target: str) -> Iterator[Stack]:
    home = Home(Path(tempfile.mkdtemp(prefix="plumbline-")))
    mine, why = choose(target, home, 0)
    try:
        deploy.up(home, mine, why)
        yield mine.stack()
    finally:
        if home.exists:
            mine.remove()
        shutil.rmtree(home.root, ignore_errors=True)


def _measured(stack: Stack, documents: list[Document], seed: int) -> tuple[accuracy.Record, list[str]]:
    # Imported here, so that the environment of a stack is enough for `--write`.
    from plumbline.verification.checks.client import User
    from plumbline.verification.checks.created import Run
    from tests.data.measure import Client

    groups: dict[tuple[str, str], list[Document]] = defaultdict(list)
    for document in documents:
        groups[document.transform, document.layout.kind].append(document)
    run = Run(stack)
    rows: list[accuracy.Row] = []
    wrong: list[str] = []
    try:
        user = User(stack, run)
        client = Client(user, int(user.create_channel("private")["id"]), seed)
        for (transform, kind), group in groups.items():
            counted, lines = client.measured(group)
            rows.append({"transform": transform, "kind": kind, **counted.as_record()})
            wrong += lines
            _progress(transform, kind, counted)
    finally:
        run.delete()
    return {"seed": seed, "rows": rows}, wrong


def _progress(transform: str, kind: str, counted: Score) -> None:
    print(
        f"{transform:<12} {kind:<8} {counted.pages:>3} pages: {counted.raw} of {counted.fields} values exact, "
        f"{counted.read_s / counted.pages:.1f} s a page",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
