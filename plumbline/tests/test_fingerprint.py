"""The fingerprint changes with the services' sources, and with nothing else."""

from __future__ import annotations

import pytest

from plumbline import fingerprint
from plumbline.targets.embedded.supervisor import Program


@pytest.fixture(params=["checkout", "tests/checkout"])
def checkout(tmp_path, request):
    """A small checkout; once in a folder with a name that is skipped inside of a checkout."""
    root = tmp_path / request.param
    for name in (
        "services/backend/backend/app.py", "services/backend/tests/test_app.py", "docker/caddy/Caddyfile",
        "requirements/backend.txt", "services/log-sink/log_sink/recorder.lua", "README.md",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.mark.parametrize(
    "name",
    [
        "services/backend/backend/app.py", "services/log-sink/log_sink/recorder.lua", "docker/caddy/Caddyfile",
        "requirements/backend.txt", "services/backend/backend/new.py",
    ],
)  # fmt: skip
def test_changed_sources_and_locks_change_it(checkout, name):
    before = fingerprint.of_sources(checkout)
    (checkout / name).write_text("changed")
    assert fingerprint.of_sources(checkout) != before


@pytest.mark.parametrize(
    "name",
    [
        "services/backend/tests/test_app.py", "services/backend/backend/__pycache__/app.cpython-311.pyc",
        "services/backend/backend/app.pyc", "README.md", "docs/index.md", "services/backend/.hypothesis/x",
    ],
)  # fmt: skip
def test_changed_tests_compiled_files_and_pages_do_not_change_it(checkout, name):
    before = fingerprint.of_sources(checkout)
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("changed")
    assert fingerprint.of_sources(checkout) == before


def test_renamed_and_deleted_files_change_it(checkout):
    first = fingerprint.of_sources(checkout)
    app = checkout / "services/backend/backend/app.py"
    app.rename(app.with_name("main.py"))
    second = fingerprint.of_sources(checkout)
    app.with_name("main.py").unlink()
    assert len({first, second, fingerprint.of_sources(checkout)}) == 3


def test_additional_files_change_it(checkout):
    before = fingerprint.of_sources(checkout, also=("README.md",))
    assert before != fingerprint.of_sources(checkout)
    (checkout / "README.md").write_text("changed")
    assert fingerprint.of_sources(checkout, also=("README.md",)) != before


def test_the_same_files_elsewhere_have_the_same_fingerprint(checkout):
    copy = checkout.with_name("copy")
    checkout.rename(copy)
    moved = fingerprint.of_sources(copy)
    copy.rename(checkout)
    assert moved == fingerprint.of_sources(checkout)


def test_every_attribute_of_a_program_changes_its_fingerprint(tmp_path):
    plain = Program("p", ["true"], tmp_path, {"A": "1"})
    others = [
        Program("q", ["true"], tmp_path, {"A": "1"}),
        Program("p", ["true", ""], tmp_path, {"A": "1"}),
        Program("p", ["true"], tmp_path / "x", {"A": "1"}),
        Program("p", ["true"], tmp_path, {"A": "2"}),
        Program("p", ["true"], tmp_path, {"A": "1"}, user="nobody"),
        Program("p", ["true"], tmp_path, {"A": "1"}, stop_signal="INT"),
        Program("p", ["true"], tmp_path, {"A": "1"}, stop_wait_s=1),
    ]
    marks = {fingerprint.of_programs([one]) for one in (plain, *others)}
    assert len(marks) == 1 + len(others)
    assert fingerprint.of_programs([plain]) == fingerprint.of_programs([Program("p", ["true"], tmp_path, {"A": "1"})])
