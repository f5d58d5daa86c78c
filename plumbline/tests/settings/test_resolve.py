"""Resolution of settings to components, and the messages for wrong lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plumbline import home_files
from plumbline.components import PORTS
from plumbline.settings import file, resolve
from plumbline.settings.caddy import CaddySettings
from plumbline.settings.resolve import Setting, Wanted
from plumbline.targets.embedded.programs import CADDYFILE, Layout


@pytest.fixture
def wanted(tmp_path: Path):  # type: ignore[no-untyped-def]
    def read(text: str, **arguments: object) -> Wanted:
        path = tmp_path / home_files.SETTINGS
        path.write_text(text)
        return resolve.wanted(path, **arguments)  # type: ignore[arg-type]

    return read


def test_an_empty_file_starts_no_probe(wanted, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(resolve, "_probe", lambda _: pytest.fail("asked"))
    assert wanted(file.HEADER) == Wanted()


def test_a_components_own_name_overrides_the_general_one(wanted) -> None:  # type: ignore[no-untyped-def]
    found = wanted("PLUMBLINE_BACKEND_WORKERS=5\nPLUMBLINE_WORKERS=3\nPLUMBLINE_LOG_LEVEL=debug\n")
    assert found.problems == []
    assert found.of("backend") == {"PLUMBLINE_WORKERS": "5", "PLUMBLINE_LOG_LEVEL": "debug"}
    assert found.of("data-processor") == {"PLUMBLINE_WORKERS": "3", "PLUMBLINE_LOG_LEVEL": "debug"}
    assert found.of("log-sink") == {"PLUMBLINE_LOG_LEVEL": "debug"}, "the log-sink is always one process"
    assert found.of("caddy") == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("PLUMBLINE_SESION_TTL_S=1", "no setting PLUMBLINE_SESION_TTL_S: did you mean PLUMBLINE_SESSION_TTL_S?"),
        ("session_ttl_s=1", "did you mean PLUMBLINE_SESSION_TTL_S?"),
        ("PLUMBLINE_BACKENT_WORKERS=1", "did you mean PLUMBLINE_BACKEND_WORKERS?"),
        ("XYZ=1", "docs/generated/defaults.md"),
        ("PLUMBLINE_WORKERS=many", "PLUMBLINE_WORKERS must be an integer from 1 to 64"),
        ("PLUMBLINE_WORKERS=65", "must be an integer from 1 to 64"),
        ("PLUMBLINE_LOG_LEVEL=loud", "must be one of debug, info, warning, error"),
        ("PLUMBLINE_COOKIE_SECURE=maybe", "must be true or false"),
        ("PLUMBLINE_INTERNAL_SECRET_FILE=/etc/passwd", "cannot be set: secrets are files"),
        ("PLUMBLINE_FRONT_TRUSTED_PROXIES=here", "must be a list of networks"),
        ("PLUMBLINE_SHUTDOWN_DELAY=5", "must be a duration"),
        ("PLUMBLINE_FRONT_HOST=example.org", "must be an IP address"),
        ("PLUMBLINE_PORT=1", "cannot be set: the deployment chooses"),
        ("PLUMBLINE_REDIS_URL=redis://x", "cannot be set: the deployment chooses"),
        ("PLUMBLINE_STACK_ID=me", "cannot be set: each deployment"),
        ("PLUMBLINE_TOKEN_SECRET_FILE=/etc/passwd", "cannot be set: secrets are files"),
        ("PLUMBLINE_LOG_SINK_WORKERS=2", "cannot be set: the log-sink is always one process"),
    ],
)
def test_an_invalid_line_is_refused_with_its_number_and_a_hint(wanted, tmp_path: Path, line: str, words: str) -> None:  # type: ignore[no-untyped-def]
    found = wanted(f"# first\n{line}\nPLUMBLINE_POOL_SIZE=4\n")
    assert found.settings == ()
    (problem,) = found.problems
    assert problem.startswith(f"{tmp_path / home_files.SETTINGS}, line 2: ")
    assert words in problem


def test_a_problem_of_one_component_names_it(wanted) -> None:  # type: ignore[no-untyped-def]
    (problem,) = wanted("PLUMBLINE_BODY_MAX_BYTES=9000000\n").problems
    assert problem.endswith(", for backend")


def test_all_problems_are_reported_in_the_order_of_lines(wanted) -> None:  # type: ignore[no-untyped-def]
    found = wanted("PLUMBLINE_WORKERS=0\nPLUMBLINE_NO=1\nA\nPLUMBLINE_POOL_SIZE=x\n")
    assert [re.search(r"line (\d)", one)[1] for one in found.problems] == ["1", "2", "3", "4"]  # type: ignore[index]


def test_settings_that_differ_from_their_default_are_marked(wanted) -> None:  # type: ignore[no-untyped-def]
    found = wanted("PLUMBLINE_WORKERS=2\nPLUMBLINE_SESSION_TTL_S=3600\nPLUMBLINE_BODY_MAX_BYTES=70000\n")
    assert [one.line() for one in found.settings if one.differs] == [
        "PLUMBLINE_SESSION_TTL_S=3600 (default 43200)",
        "PLUMBLINE_BODY_MAX_BYTES=70000 (default 65536 for backend, 1048576 for data-processor and 1048576 for worker)",
    ]


def test_a_target_can_have_own_defaults_and_refuse_variables(wanted) -> None:  # type: ignore[no-untyped-def]
    found = wanted("PLUMBLINE_BACKEND_POOL_SIZE=8\n", defaults={"backend": {"PLUMBLINE_POOL_SIZE": "4"}})
    assert [one.line() for one in found.settings if one.differs] == ["PLUMBLINE_BACKEND_POOL_SIZE=8 (default 4)"]
    found = wanted("PLUMBLINE_FRONT_HOST=::1\n", refused={"PLUMBLINE_FRONT_HOST": "not here"})
    assert found.problems[0].endswith("PLUMBLINE_FRONT_HOST cannot be set: not here")


def test_variables_of_the_caller_are_not_settings(wanted, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    resolve._run_probe.cache_clear()
    monkeypatch.setenv("PLUMBLINE_WORKERS", "not a number")
    assert wanted("PLUMBLINE_POOL_SIZE=4\n").problems == []


def test_every_component_accepts_no_settings() -> None:
    assert {part: answer["problems"] for part, answer in resolve._probe({}).items()} == {
        part: {} for part in resolve.PARTS
    }


def test_every_field_of_a_service_can_be_set(wanted) -> None:  # type: ignore[no-untyped-def]
    free = {name for name, meant in resolve.names().items() if not meant.refusal}
    assert {"PLUMBLINE_REGISTRATION", "PLUMBLINE_BACKEND_REGISTRATION"} <= free
    assert wanted("PLUMBLINE_REGISTRATION=closed\n").of("backend") == {"PLUMBLINE_REGISTRATION": "closed"}


def test_names_are_unambiguous() -> None:
    singles = [resolve._single(part, one["variable"]) for part, every in resolve.described().items() for one in every]
    assert len(singles) == len({*singles})
    assert {*singles}.isdisjoint(one["variable"] for every in resolve.described().values() for one in every)


def test_variables_of_the_deployment_cannot_be_set(home) -> None:  # type: ignore[no-untyped-def]
    layout = Layout(home, dict.fromkeys(PORTS, 1), "x")
    told = {name: layout.service_environment(name) for name in ("backend", "data-processor", "worker", "log-sink")}
    told["caddy"] = layout.caddy_environment()
    for part, fields in resolve.described().items():
        deployed = {one["variable"] for one in fields if one["deployed"]} | {"PLUMBLINE_FRONT_PORT"}
        assert {name for name in told[part] if name.startswith("PLUMBLINE_")} <= deployed, part


def test_caddys_settings_match_the_caddyfile() -> None:
    found: dict[str, str | None] = {}
    for name, default in re.findall(r"\{\$(PLUMBLINE_\w+)(:[^}]*)?\}", CADDYFILE.read_text()):
        found[name] = found.get(name) or (default[1:] if default else None)
    declared = {
        f"PLUMBLINE_{name.upper()}": None if field.is_required() else str(field.default)
        for name, field in CaddySettings.model_fields.items()
    }
    assert declared == found


def test_a_setting_survives_the_state_file() -> None:
    one = Setting("A", "1", "A", ("backend",), "2", differs=True)
    raw = {"name": "A", "value": "1", "variable": "A", "parts": ["backend"], "default": "2", "differs": True}
    assert Setting.remembered(raw) == one
