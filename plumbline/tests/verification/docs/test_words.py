"""Everything is described, and every description is about something that exists."""

from __future__ import annotations

import pytest
from servicekit.facts import LOG_CAP

from plumbline.tests.verification.docs.conftest import Checkout

SILENCES = {
    "dependency": (
        "requirements/backend.in", "alembic\n", "alembic\nattrs\n", "dependencies: attrs", "words/dependencies.toml",
    ),
    "column": (
        "services/data-processor/data_processor/documents/models.py", "    media_type =",
        "    origin = models.TextField()\n    media_type =", "columns: documents.origin", "words/inventory.toml",
    ),
    "table": (
        "services/backend/backend/tables.py", "stack_events = Table(",
        'Table("notes", metadata, _id())\nstack_events = Table(', "columns: notes.id", "words/inventory.toml",
    ),
    "step": (
        "plumbline/plan.py", 'Step("identity"', 'Step("greet", "Say hello.", "nothing"),\n    Step("identity"',
        "steps of the plan on target embedded: greet", "words/steps.toml",
    ),
    "route": (
        "services/log-sink/log_sink/pages.py", 'Route("/logs/login", _login),',
        'Route("/logs/login", _login),\n    Route("/logs/about", _login),', "GET /logs/about", "words/routes.toml",
    ),
    "constant": (
        "services/servicekit/servicekit/facts.py", f"LOG_CAP = {LOG_CAP}", f"LOG_CAP = {LOG_CAP}\nLOG_FLOOR = 1",
        "shared facts: LOG_FLOOR", "words/facts.toml",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "old", "new", "said", "where"), SILENCES.values(), ids=SILENCES)
def test_a_missing_description_is_refused(
    checkout: Checkout, path: str, old: str, new: str, said: str, where: str
) -> None:
    checkout.replace(path, old, new)
    done = checkout.generate("--check")
    assert done.returncode == 1
    assert said in done.stderr
    assert f"next: add a line for it to plumbline/verification/docs/{where}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_description_of_something_that_is_gone_is_refused(checkout: Checkout) -> None:
    file = checkout.root / "plumbline/verification/docs/words/dependencies.toml"
    file.write_text(file.read_text() + 'left-pad = "pads"\n')
    done = checkout.generate("--check")
    assert done.returncode == 1
    assert "dependencies that do not exist: left-pad" in done.stderr


def test_a_column_belongs_to_one_datum_only(checkout: Checkout) -> None:
    checkout.replace(
        "plumbline/verification/docs/words/inventory.toml", '"documents.filename",', '"documents.filename", "users.id",'
    )
    done = checkout.generate("--check")
    assert done.returncode == 1
    assert "gives a column to two data: users.id" in done.stderr


def test_a_service_that_cannot_be_read_is_named_with_the_reason(checkout: Checkout) -> None:
    checkout.replace("services/backend/backend/tables.py", "metadata = MetaData(", "metadata = MetaDta(")
    done = checkout.generate("--check")
    assert done.returncode == 1
    assert "backend cannot be read (exit code 1)" in done.stderr
    assert "NameError: name 'MetaDta' is not defined" in done.stderr


def test_a_readme_without_its_block_is_refused(checkout: Checkout) -> None:
    checkout.replace("README.md", "<!-- end of generated -->", "")
    done = checkout.generate()
    assert done.returncode == 1
    assert "README.md has lost its generated block `defaults`" in done.stderr
