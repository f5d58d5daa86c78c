"""A setting or a secret restarts what reads it: every other process goes on, with the deployment's identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from plumbline import secret_files
from plumbline.components import PORTS
from plumbline.home import Home
from plumbline.rotation.journal import Rotation
from plumbline.settings.resolve import Setting, Wanted
from plumbline.targets.embedded import postgres
from plumbline.targets.embedded import programs as embedded_programs
from plumbline.targets.embedded.accounts import Account
from plumbline.targets.embedded.programs import CADDYFILE, Layout
from plumbline.targets.embedded.supervisor import Program, Supervisor
from plumbline.targets.embedded.target import EmbeddedTarget

Programs = Callable[[Wanted, Mapping[str, str]], list[Program]]


def _told(name: str, value: str, *parts: str) -> Wanted:
    return Wanted((Setting(name, value, name, parts, "", differs=True),))


@pytest.fixture
def programs(home: Home, program: Callable[..., Program]) -> Programs:
    """What the supervisor is told of each part, with sleepers in place of the parts themselves."""
    ports = dict(zip(PORTS, range(1, 20), strict=False))
    cluster = postgres.Cluster(Path("/nowhere"), home.data, Account(), 1)

    def of(told: Wanted, marks: Mapping[str, str]) -> list[Program]:
        every = Layout(home, ports, "x", told, marks).programs(cluster)
        return [replace(program(one.name), environment=one.environment) for one in every]

    return of


def test_only_what_reads_a_changed_setting_or_secret_is_restarted(supervisor: Supervisor, programs: Programs) -> None:
    marks = dict.fromkeys(secret_files.SECRETS, "as before")

    def apply(told: Wanted, **replaced: str) -> dict[str, int | None]:
        every = programs(told, marks | replaced)
        supervisor.apply(every)
        for one in every:
            supervisor.start(one.name)
        return {one.name: supervisor.component(one.name).pid for one in every}

    before = apply(Wanted())
    assert None not in before.values()
    for name, parts in {
        "PLUMBLINE_SESSION_TTL_S": {"backend"},
        "PLUMBLINE_POOL_SIZE": {"backend", "data-processor", "worker"},
        "PLUMBLINE_SHUTDOWN_DELAY": {"caddy"},
    }.items():
        after = apply(_told(name, "5", *parts))
        assert {part for part in after if after[part] != before[part]} == parts
        before = apply(Wanted())
    for name, parts in {
        "operator_password": set(),
        "postgres_password": {"backend", "data-processor", "worker"},
        "token_secret": {"backend", "data-processor", "worker"},
        "redis_password": {"redis", "log-sink", "backend", "data-processor", "worker"},
        "internal_secret": {"log-sink", "backend", "data-processor", "worker", "caddy"},
    }.items():
        after = apply(Wanted(), **{name: "another"})
        assert {part for part in after if after[part] != before[part]} == parts
        before = apply(Wanted())


def test_a_stack_with_other_settings_than_the_file_says_is_not_as_wanted(home: Home) -> None:
    home.prepare()
    home.save(home.load(), target="embedded", ports={"front": 8080})
    assert EmbeddedTarget(home)._is_as_wanted()
    home.settings.write_text("PLUMBLINE_POOL_SIZE=3\n")
    target = EmbeddedTarget(home)
    assert not target._is_as_wanted()
    target._begin({}, resume=True)
    assert EmbeddedTarget(home)._is_as_wanted()
    assert EmbeddedTarget(home)._layout().told.of("backend") == {"PLUMBLINE_POOL_SIZE": "3"}
    home.settings.write_text("PLUMBLINE_POOL_SIZE=3\nPLUMBLINE_NO=1\n")
    assert not EmbeddedTarget(home)._is_as_wanted()


def test_a_wrong_file_is_refused_before_anything_is_changed(home: Home) -> None:
    home.prepare()
    home.settings.write_text("PLUMBLINE_WORKERS=0\n")
    assert any("line 1: PLUMBLINE_WORKERS must be" in one for one in EmbeddedTarget(home, 0).problems())


def test_the_front_door_is_where_the_file_says_unless_the_command_contradicts(home: Home) -> None:
    home.prepare()
    home.settings.write_text("PLUMBLINE_FRONT_PORT=8123\nPLUMBLINE_FRONT_HOST=::1\n")
    target = EmbeddedTarget(home)
    assert target._front_port() == 8123
    target._state = home.save(home.load(), ports={"front": 8123})
    target._begin({}, resume=True)
    assert target._front() == "[::1]:8123"
    (problem,) = EmbeddedTarget(home, 9000)._settings_problems()
    assert "--port 9000 contradicts PLUMBLINE_FRONT_PORT=8123" in problem


def test_a_replaced_secret_is_noticed_and_said_once(home: Home) -> None:
    home.prepare()
    target = EmbeddedTarget(home, 0)
    target._state = home.save(home.load(), target="embedded", ports={"front": 1})
    assert target.run("secrets") == f"{len(secret_files.SECRETS)} generated"
    assert EmbeddedTarget(home, 0)._is_as_wanted()
    (home.secrets / "token_secret").write_bytes(b"\xef\xbb\xbfof my own choice\r\n")
    again = EmbeddedTarget(home, 0)
    assert not again._is_as_wanted()
    assert again.run("secrets") == "all present; token_secret was replaced: every session ends"
    assert (home.secrets / "token_secret").read_bytes() == b"of my own choice"
    assert EmbeddedTarget(home, 0).run("secrets") == "all present"
    (home.secrets / "redis_password").unlink()
    assert EmbeddedTarget(home, 0).run("secrets").startswith("1 generated; redis_password was replaced")
    state = (home.root / "state.json").read_text()
    assert not [name for name in secret_files.SECRETS if (home.secrets / name).read_text() in state]


def test_former_keys_end_when_the_key_is_replaced_by_hand(home: Home) -> None:
    home.prepare()
    target = EmbeddedTarget(home, 0)
    target._state = home.save(home.load(), target="embedded", ports={"front": 1})
    target.run("secrets")
    current, former = home.secrets / "token_secret", home.secrets / "token_secret_also"
    for journal, kept in ((None, ""), (Rotation("token_secret", "the former key", "the new key"), "a former key")):
        if journal is not None:
            journal.save(home.secrets)
        former.write_text("a former key")
        current.unlink()
        EmbeddedTarget(home, 0).run("secrets")
        assert former.read_text() == kept


def test_another_caddyfile_restarts_caddy_alone(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = programs(Wanted(), {})
    (tmp_path / "Caddyfile").write_bytes(CADDYFILE.read_bytes() + b"\n")
    monkeypatch.setattr(embedded_programs, "CADDYFILE", tmp_path / "Caddyfile")
    after = programs(Wanted(), {})
    assert [one.name for one, other in zip(before, after, strict=True) if one != other] == ["caddy"]
