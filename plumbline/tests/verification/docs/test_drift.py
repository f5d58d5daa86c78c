"""The check fails and names the page when code and page differ."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from servicekit.facts import LOG_CAP

from plumbline.tests.verification.docs.conftest import Checkout
from plumbline.verification.docs.site import PAGES

CHANGES = {
    "a setting's default": (
        "services/backend/backend/settings.py", "session_ttl_s: int = Field(12 * 3600", "session_ttl_s: int = Field(61",
        "defaults.md", "| `PLUMBLINE_SESSION_TTL_S` | integer from 1 | `61` |",
    ),
    "a new setting": (
        "services/log-sink/log_sink/settings.py", "    ingest_host:",
        '    extra: bool = Field(True, description="New.")\n    ingest_host:',
        "defaults.md", "| `PLUMBLINE_EXTRA` | true or false | `true` | New. |",
    ),
    "a setting's bound": (
        "services/data-processor/data_processor/config.py",
        "Field(500, ge=1, le=10_000", "Field(500, ge=1, le=999",
        "defaults.md", "| `PLUMBLINE_PDF_MAX_PAGES` | integer from 1 to 999 |",
    ),
    "a setting that becomes a secret": (
        "services/log-sink/log_sink/settings.py", "    ingest_host:",
        '    key_file: str = Field(description="Key.")\n    ingest_host:',
        "defaults.md", "| `PLUMBLINE_KEY_FILE` | **secret file**, text | **must be given** | Key. |",
    ),
    "a fact": (
        "services/servicekit/servicekit/facts.py", f"LOG_CAP = {LOG_CAP}", f"LOG_CAP = {LOG_CAP + 1}", "defaults.md",
        f"| `{LOG_CAP + 1}` |",
    ),
    "a setting of Caddy": (
        "plumbline/settings/caddy.py", '"Address of the front door."', '"Place of the front door."',
        "defaults.md", "| Place of the front door. |",
    ),
    "what a step does": (
        "plumbline/plan.py", "Start Redis, which", "Start a Redis, which", "run-steps.md", "| Start a Redis, which",
    ),
    "an option": ("plumbline/cli.py", '"--bundle", action', '"--parcel", action', "run-steps.md", "| `--parcel` |"),
    "an exit code": (
        "plumbline/terminal.py", "= 0, 1, 2, 3", "= 0, 1, 2, 4", "run-steps.md", "| `4` | The stack does not"
    ),
    "a column of the backend": (
        "services/backend/backend/tables.py", 'Column("image_url", Text)', 'Column("picture_url", Text)',
        "inventory.md", "| `picture_url` | text | yes |",
    ),
    "a column of the data-processor": (
        "services/data-processor/data_processor/templates/models.py", "expected_format = models.TextField(null=True)",
        "expected_format = models.TextField()", "inventory.md", "| `expected_format` | text |  |",
    ),
    "a foreign key": (
        "services/backend/backend/tables.py", 'ForeignKey("users.id", ondelete="SET NULL")', 'ForeignKey("users.id")',
        "schema.md", "| `invites.created_by` | `users` | prevents that |",
    ),
    "a route of the backend": (
        "services/backend/backend/routes/members.py", '"/{channel_id}/leave"', '"/{channel_id}/part"',
        "routes.md", "| `POST` | `/channels/{channel_id}/part` |",
    ),
    "a route of the data-processor": (
        "services/data-processor/data_processor/urls.py", '"documents/<id:document_id>/thumbnail"',
        '"documents/<id:document_id>/small"',
        "routes.md", "| `GET` | `/data-processor/documents/{document_id}/small` |",
    ),
    "a method of the data-processor": (
        "services/data-processor/data_processor/urls.py", "DELETE=templates.template_delete",
        "PATCH=templates.template_delete", "routes.md", "| `PATCH` | `/data-processor/templates/{template_id}/` |",
    ),
    "a route of the log-sink": (
        "services/log-sink/log_sink/app.py", '"/logs/stats"', '"/logs/counts"',
        "routes.md", "| `GET` | `/logs/counts` |",
    ),
    "a dependency that moves": (
        "requirements/log-sink.in", "orjson\n", "orjson\nalembic\n",
        "dependencies.md", "100 rows notice. |\n| `alembic` |",
    ),
}  # fmt: skip
"""Place, old text, new text, page, and what the page has to say afterwards."""


@pytest.fixture(scope="module")
def changed(pristine: Checkout, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    """A checkout with all of these changes and its pages written anew; and what the check said before that."""
    copy = Checkout(tmp_path_factory.mktemp("changed") / "checkout")
    shutil.copytree(pristine.root, copy.root)
    for path, old, new, _, _ in CHANGES.values():
        copy.replace(path, old, new)
    decision = copy.root / "docs/decisions/9999-colour.md"
    decision.write_text("# The wall is white\n\nDecided 2026-12-01: it was on sale.\n")
    checked = copy.generate("--check")
    assert checked.returncode == 1, checked.stdout
    written = copy.generate()
    assert written.returncode == 0, written.stderr
    return copy, checked.stderr


@pytest.mark.parametrize(("page", "says"), [change[3:] for change in CHANGES.values()], ids=CHANGES)
def test_a_change_of_the_code_is_a_change_of_its_page(
    pristine: Checkout, changed: tuple[Checkout, str], page: str, says: str
) -> None:
    copy, complaint = changed
    assert says not in pristine.page(page).read_text()
    assert says in copy.page(page).read_text()
    assert f"docs/generated/{page}: " in complaint


def test_a_change_of_a_fact_is_a_change_of_the_readme(pristine: Checkout, changed: tuple[Checkout, str]) -> None:
    copy, complaint = changed
    assert f"at most {LOG_CAP} entries" in (pristine.root / "README.md").read_text()
    assert "at most 201 entries" in (copy.root / "README.md").read_text()
    assert "README.md: differs from line " in complaint


def test_a_new_decision_is_added_to_the_index_and_the_navigation(changed: tuple[Checkout, str]) -> None:
    copy, complaint = changed
    line = "| 9999 | [The wall is white](9999-colour.md) | It was on sale. | 2026-12-01 |"
    assert line in (copy.root / "docs/decisions/index.md").read_text()
    assert "      - decisions/9999-colour.md\n" in (copy.root / "mkdocs.yml").read_text()
    for name in ("docs/decisions/index.md", "mkdocs.yml"):
        assert f"{name}: differs from line " in complaint


def test_unchanged_code_agrees_with_its_pages(pristine: Checkout) -> None:
    done = pristine.generate("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_every_kind_of_trouble_with_a_page_is_named_and_repaired(checkout: Checkout, pristine: Checkout) -> None:
    checkout.replace("docs/generated/defaults.md", "app_db", "my_db")
    checkout.page("routes.md").unlink()
    checkout.page("ports.md").write_text("a page that is generated no more\n")
    checkout.replace("README.md", "| first operator | `operator`", "| first operator | `root`")
    spoilt = _texts(checkout.root)
    done = checkout.generate("--check")
    assert done.returncode == 1
    assert "docs/generated/defaults.md: differs from line " in done.stderr
    assert "there: | `my_db`" in done.stderr
    assert "should: | `app_db`" in done.stderr
    assert "docs/generated/routes.md: missing" in done.stderr
    assert "docs/generated/ports.md: nothing writes this page any more" in done.stderr
    assert "README.md: differs from line " in done.stderr
    assert "-m plumbline.verification.docs, look" in done.stderr
    assert _texts(checkout.root) == spoilt, "--check writes nothing"
    repaired = checkout.generate()
    assert sorted(repaired.stdout.splitlines()) == [
        "removed docs/generated/ports.md",
        "wrote README.md",
        "wrote docs/generated/defaults.md",
        "wrote docs/generated/routes.md",
    ]
    assert _texts(checkout.root) == _texts(pristine.root)


def test_pages_hold_nothing_of_the_machine_that_wrote_them(pristine: Checkout) -> None:
    for name in PAGES:
        text = pristine.page(name).read_text()
        assert str(pristine.root.parent.parent) not in text
        assert "site-packages" not in text


def _texts(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*.md")}
