"""docs/generated/drills.md: what clients lost when parts of a stack were disturbed, as it was counted last."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.verification.docs.markdown import sentence
from plumbline.verification.drills import record
from plumbline.verification.drills.declared import DRILLS
from plumbline.verification.drills.judge import DEADLINE_S, WRITES_MIN

_INTRODUCTION = f"""\
# Drills

What clients lose while parts of a stack are killed, stopped and stalled. `nox -s drills` disturbs a new stack while
clients use it: in each of four channels two write messages, one uploads and annotates documents, and ten sockets
listen. They are ordinary clients: they write with [the loop of the docs](../calls.md#requests-that-can-be-repeated),
half of the sockets resume with `?since=`, and the others read the lists again after a close. `nox -s drills --
--target compose` does the same in containers, and `-- --record` writes this page's figures. Seconds depend on the
machine and on what else it does.

- *Acknowledged*: writes that were answered with success, at least {WRITES_MIN:,}. Afterwards they are compared with
  the rows in Postgres: *lost* are those without a row, *doubled* those with two.
- *Refused*: all other answers. Each must be a problem document with a known code, `Retry-After`, and no more than
  that, within {DEADLINE_S:g} s, which is how long a client waits.
- *No answer*: connections that were refused or broken, and answers that the client did not wait for. Allowed only
  where the front door itself is away, or where a service stands still: Caddy waits longer for it than the client.
- *Longest pause*: without an acknowledged write. *Recovered*: after the disturbance, until every client has written
  again.
- *Missed*: stored messages and documents that a listener knows nothing of in the end, by socket.
- *Gaps, closed*: connections of ordinary sockets that missed an event, and how many of these were closed. *Closes*
  counts all closes by their code; `lost` is a connection that broke.

A drill passes only if nothing is lost, doubled or missed, every refusal is clear, every gap is closed, no event comes
twice or out of order, every uploaded document is read, and every client goes on by itself. What is only relayed, such
as `typing`, is not stored, and may be lost without a sign.
"""


def page() -> str:
    """Return the page, with a table for each target."""
    kept = record.load()
    return "".join([_INTRODUCTION, "\n## What is done\n\n", *_deeds(), *_tables(kept)])


def _deeds() -> Iterator[str]:
    for drill in DRILLS:
        yield f"- *{drill.name}*: {sentence(drill.does)}\n"


def _tables(kept: record.Record) -> Iterator[str]:
    for target in record.TARGETS:
        rows = {one.name: kept[target][one.name] for one in DRILLS if one.name in kept.get(target, {})}
        yield f"\n## On {target}\n\n{record.summary(rows)}"
        for name, reason in record.not_run(rows).items():
            yield f"\n*{name}* was not run: it {reason}.\n"
        if missing := [f"*{one.name}*" for one in DRILLS if one.name not in rows]:
            yield f"\nWithout figures on this target yet: {', '.join(missing)}.\n"
        for name, found in record.failed(rows).items():
            yield f"\n*{name}* has not passed: {'; '.join(found)}.\n"
