"""No statement reads more because tables are large, small or in between."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import psycopg
import pytest
from data_processor_testkit import growing
from data_processor_testkit.service import Service
from servicekit import planner

from plumbline.verification import growth
from plumbline.verification.growth import Cost

_SHOWN = """
import json, sys
from data_processor import process
process.configure(forward=False, service=sys.argv[1])
from data_processor.database import statements
print(json.dumps(statements.row(sys.argv[2], {})))
"""
Costs = dict[str, dict[int, Cost]]
_LABELS = [{"position": 1, "name": "Label 1", "label_type": "field", "colour": "#ffcc00", "page": 1,
            "every_page": False, "value_type": "text", "box_x": 0.1, "box_y": 0.1, "box_width": 0.1, "box_height": 0.1,
            "expected_format": None, "required": False}]  # fmt: skip
_VALUES: dict[str, Any] = {
    "before": 2**63 - 1, "after": 0, "place": 0, "limit": 51, "number": 1, "value_id": 0, "validated_only": False,
    "page": 1, "box_x": 1.0, "box_y": 1.0, "box_width": 1.0, "box_height": 1.0, "label_type": "field",
    "label_name": "Total", "colour": "#ffcc00", "text": "x", "confidence": None, "validation_status": "valid",
    "epsilon": 1e-6, "key": "new", "request": b"", "answer": "{}", "version": 1, "findings": "[]", "at_once": True,
    "pause_s": 0.5, "status": "done", "error": None, "attempt": 0, "total": 1, "start": 1, "length": 1,
    "sha256": "2" * 64, "data": b"x", "thumbnail": b"x", "filename": "x.png", "media_type": "image/png", "size": 1,
    "damage": [], "widths": [100.0], "heights": [100.0], "is_operator": False, "events": "[]", "app": "data_processor",
    "needed": ["users"], "most": 1000,
    "delete_job": True, "retry_at": None, "new_priority": None, "new_queue_name": None, "new_lock": None,
    "tries_max": 6, "stall_s": 30, "chars": 100, "engine": "none", "angle": 0.0, "words": "[]", "name": "New",
    "date_order": None, "decimal_separator": None, "source_page": 1, "labels": json.dumps(_LABELS),
    "anchors": '[{"page": 2, "width": 1, "height": 1, "words": []}]', "session_id": growing.SESSION, "queue": "own",
}  # fmt: skip
_OF = {
    "applying.selectors._TEMPLATE": "template",
    "batches.selectors._ONE": "batch",
    "batches.selectors._ITEMS": "batch",
    "exports.selectors._JOB": "batch",
    "templates.selectors._ONE": "template",
}
"""What the parameter `id` is the id of; of a document in all other statements."""
_SPECIAL: dict[str, dict[str, Any]] = {
    "batches.selectors._ITEMS": {"status": None},
    "jobs.fenced._FINISH": {"status": "succeeded"},
}
_DELETES_LABELS = ("templates.services._DELETE", "templates.services._DROP_LABELS")
_WITHOUT_INDEX = frozenset({"django_migrations"})
"""Tables with a few dozen rows, to which only releases add."""


def values(name: str, ids: dict[str, int], channel: str) -> dict[str, Any]:
    document = ids["document"]
    return _VALUES | {
        "user_id": ids["user"], "channel_id": ids[channel], "document_id": document, "document_ids": [document],
        "source_document_id": document, "annotation_id": ids["annotation"], "template_id": ids["template"],
        "batch_id": ids["batch"], "item_id": ids["item"], "job_id": ids["job"], "worker_id": ids["worker"],
        "id": ids[_OF.get(name, "document")],
    } | _SPECIAL.get(name, {}) | ({"template_id": ids["idle"]} if name in _DELETES_LABELS else {})  # fmt: skip


@pytest.fixture(scope="module")
def statements(migrated: Service) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "data_processor_testkit.statements"],
        env=migrated.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def costs(migrated: Service, statements: dict[str, str]) -> dict[str, Costs]:
    """The cost of every statement at every size, in a calm channel and in the one that grows."""
    found: dict[str, Costs] = {}
    growth.clean(migrated.postgres.conninfo)
    with psycopg.connect(migrated.postgres.conninfo, options=planner.OPTIONS) as database:
        ids, before = growing.plant(database), 0
        for size in growth.SIZES:
            growing.grow(database, ids, before, size)
            before = size
            for channel, plan in (("calm", "generic"), ("full", "custom")):
                database.execute(f"SET LOCAL plan_cache_mode = force_{plan}_plan".encode())
                for name, statement in statements.items():
                    case = found.setdefault(name, {}).setdefault(f"#{channel}, {plan} plan", {})
                    case[size] = growth.cost(database, statement, values(name, ids, channel))
        database.rollback()
    # So that other tests have small tables.
    growth.clean(migrated.postgres.conninfo)
    return found


def test_statements_are_found(statements: dict[str, str]) -> None:
    assert {"documents.selectors._IN_CHANNEL", "annotations.services.update", "jobs.sweep._RETURN"} <= statements.keys()


def test_every_statement_costs_the_same_at_every_size(costs: dict[str, Costs]) -> None:
    found = [
        f"{name} in {case}: {fault}"
        for name, cases in costs.items()
        for case, sizes in cases.items()
        for fault in growth.faults(sizes, _WITHOUT_INDEX)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("service", ["data-processor", "worker"])
def test_every_connection_of_the_service_has_the_options(migrated: Service, service: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SHOWN, service, growth.OPTIONS],
        env=migrated.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == growth.HAS_OPTIONS
