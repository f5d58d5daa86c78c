"""docs/generated/upgrades.md: what the last upgrade from the release before to this checkout has shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from plumbline import ROOT
from plumbline.verification.docs.markdown import code, codes, table

RECORD = ROOT / "tests" / "upgrade" / "shown.json"
_INTRODUCTION = """\
# Upgrades

`nox -s upgrade` brings up the release before this checkout, from its commit, with data. It migrates the database with
this checkout's migrations while the earlier services serve and a client writes, runs the earlier smoke suite on the
new schema, switches the services, and runs this checkout's suite. Then it rolls back, which starts the earlier release,
and goes forward again. What was written has to be there each time. `-- --record` writes the figures of this page.
"""


def page() -> str:
    """Return the page, with a section for each target of the record."""
    record: dict[str, dict[str, Any]] = json.loads(RECORD.read_text(encoding="utf-8"))
    return "\n".join([_INTRODUCTION, *(_section(target, shown) for target, shown in record.items())])


def _section(target: str, shown: dict[str, Any]) -> str:
    reasons: dict[str, list[str]] = {}
    for name, why in shown["left_out"].items():
        reasons.setdefault(why, []).append(name)
    left_out = "".join(f"- {why}: {codes(names)}\n" for why, names in reasons.items())
    adjusted = "".join(f"- {what}\n" for what in shown["adjusted"])
    lost = "".join(f"- {line}\n" for line in shown["lost"])
    return "\n".join(
        [
            f"## On target {target}\n",
            table(("what", "seen"), _rows(shown)),
            f"Left out of the earlier suite, or adjusted in it:\n\n{left_out}{adjusted}",
            f"What the rollback said would be lost:\n\n{lost}",
        ]
    )


def _rows(shown: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "day", shown["day"]
    yield "from", _release(shown["from"])
    yield "to", _release(shown["to"])
    for chain, revision in shown["schema"].items():
        yield f"schema of the {chain}", f"{code(shown['schema_before'][chain])} to {code(revision)}"
    yield "messages written during the migrations", f"{shown['written_meanwhile']}, none refused"
    yield "smoke suite of the earlier release, on the new schema", _counts(shown["earlier_suite"])
    yield "smoke suite of this checkout, after the switch", _counts(shown["newer_suite"])


def _release(found: dict[str, str]) -> str:
    return f"{found['version']}, commit {code(found['commit'][:12])}"


def _counts(suite: dict[str, Any]) -> str:
    return ", ".join(f"{suite['counts'].get(name, 0)} {name}" for name in ("passed", "skipped", "failed"))
