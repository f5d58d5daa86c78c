"""Everything is described, and every description is about something that exists."""

from __future__ import annotations

import re
import shutil

import pytest
from servicekit.facts import LOG_CAP

from plumbline.tests.verification.docs.conftest import Checkout

SILENCES = {
    "dependency": (
        "requirements/backend.in", "alembic\n", "alembic\nattrs\n", "dependencies: attrs", "dependencies.toml",
    ),
    "column": (
        "services/data-processor/data_processor/documents/models.py", "    media_type =",
        "    origin = models.TextField()\n    media_type =", "columns: .*documents.origin", "inventory.toml",
    ),
    "table": (
        "services/backend/backend/tables.py", "stack_events = Table(",
        'Table("notes", metadata, _id(), comment="Notes.")\nstack_events = Table(',
        "columns: .*notes.id", "inventory.toml",
    ),
    "step": (
        "plumbline/plan.py", 'Step("identity"', 'Step("greet", "Say hello.", "nothing"),\n    Step("identity"',
        "steps of the plan on target embedded: greet", "steps.toml",
    ),
    "route": (
        "services/log-sink/log_sink/pages.py", 'Route("/logs/login", _login),',
        'Route("/logs/login", _login),\n    Route("/logs/about", _login),', "GET /logs/about", "routes.toml",
    ),
    "constant": (
        "services/servicekit/servicekit/facts.py", f"LOG_CAP = {LOG_CAP}", f"LOG_CAP = {LOG_CAP}\nLOG_FLOOR = 1",
        "shared facts: LOG_FLOOR", "facts.toml",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def complaint(pristine: Checkout, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said about a checkout in which all of this is wrong."""
    copy = Checkout(tmp_path_factory.mktemp("words") / "checkout")
    shutil.copytree(pristine.root, copy.root)
    for path, old, new, _, _ in SILENCES.values():
        copy.replace(path, old, new)
    file = copy.root / "plumbline/verification/docs/words/tables.toml"
    file.write_text(file.read_text() + 'left_over = "Nothing."\n')
    copy.replace("README.md", "<!-- end of generated -->", "")
    (copy.root / "docs/decisions/9999-colour.md").write_text("# The wall is white\n\nNo date.\n")
    done = copy.generate("--check")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(("said", "where"), [silence[3:] for silence in SILENCES.values()], ids=SILENCES)
def test_a_missing_description_is_refused(complaint: str, said: str, where: str) -> None:
    following = f"next: add a line for it to plumbline/verification/docs/words/{where}"
    assert re.search(rf"{said}.*\n{following}\n", complaint), complaint


def test_a_description_of_something_that_is_gone_is_refused(complaint: str) -> None:
    assert "words/tables.toml describes tables that do not exist: left_over\n" in complaint


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


def test_a_readme_without_its_block_is_refused(complaint: str) -> None:
    assert "README.md has lost its generated block `defaults`" in complaint


def test_a_decision_without_a_date_is_refused(complaint: str) -> None:
    assert "docs/decisions/9999-colour.md does not begin as a decision should" in complaint
