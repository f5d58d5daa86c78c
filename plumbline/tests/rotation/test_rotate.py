"""Every secret can be rotated; an interruption anywhere leaves a stack that works, and the same command finishes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from servicekit.rotating import RotatingSecret
from servicekit.secrets import read_secret

from plumbline import secret_files
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.rotation import journal, rotate
from plumbline.rotation.rotate import STEPS, Rotator
from plumbline.rotation.target import RotatingTarget
from plumbline.secret_files import SECRETS


class Interrupted(BaseException):
    """Stands for a kill."""


class World:
    """A stack that keeps what its database, Redis and operator accept, and is interrupted at the n-th action."""

    secrets_are_mounted = False

    def __init__(self, home: Home) -> None:
        self.home = home
        self.before = {name: read_secret(home.secrets / name) for name in SECRETS}
        self.overlapping = {name: {self.before[name]} for name in ("token_secret", "internal_secret")}
        self.role = self.before["postgres_password"]
        self.operator = self.before["operator_password"]
        self.redis = {_digest(self.before["redis_password"])}
        self.actions = 0
        self.interrupted_at = 0
        self.finished: list[str] = []
        self.problems: list[str] = []
        self.current = True
        self.release = ""

    def act(self) -> None:
        """Count an action; check the stack before it, and be interrupted."""
        self.check()
        self.actions += 1
        if self.actions == self.interrupted_at:
            raise Interrupted

    def check(self) -> None:
        """Find what a running service could not do now."""
        values = {name: RotatingSecret(self.home.secrets / name) for name in SECRETS}
        accepted = {name: [one.text for one in value.accepted()] for name, value in values.items()}
        assert self.role in accepted["postgres_password"], "services cannot connect to Postgres"
        assert _digest(values["redis_password"].current()) in self.redis, "services cannot connect to Redis"
        for name, used in self.overlapping.items():
            used.add(values[name].current())
            assert used <= set(accepted[name]), f"a former {name} is refused"

    def deliver_secrets(self) -> None:
        self.act()

    def set_redis_passwords(self, rule: str, digest: str) -> None:
        self.act()
        self.redis = {digest} if rule == "only" else self.redis | {digest}
        self.act()

    def run(self, step: str) -> str:
        assert step == "migrate-backend"
        self.act()
        self.operator = read_secret(self.home.secrets / "operator_password")
        return "at head"

    def rotated(self, name: str) -> None:
        self.finished.append(name)

    def session_lifetime_s(self) -> int:
        return 3600

    def stack(self) -> Any:
        return SimpleNamespace(problems=lambda: self.problems, release=self.release)

    def from_this_checkout(self) -> bool:
        return self.current


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A stack with all secrets."""
    home = Home(tmp_path / "home")
    home.prepare()
    secret_files.generate(home.secrets)
    world = World(home)

    def set_role_password(rotator: Rotator, begun: journal.Rotation) -> None:
        world.act()
        assert world.role in (begun.old, begun.new)
        world.role = begun.new
        world.act()

    monkeypatch.setattr(rotate, "_CLIENTS_S", 0.0)
    monkeypatch.setattr(Rotator, "_set_role_password", set_role_password)
    monkeypatch.setattr(Rotator, "_record", lambda rotator, name: world.act())
    return world


def rotator(world: World) -> Rotator:
    return Rotator(world.home, cast(RotatingTarget, world))


def test_every_secret_has_a_rotation() -> None:
    assert STEPS.keys() == SECRETS.keys(), "a secret that cannot be rotated on a running stack"


@pytest.mark.parametrize("name", SECRETS)
def test_a_rotation_interrupted_anywhere_is_finished_by_the_same_command(world: World, name: str) -> None:
    folder = world.home.secrets
    for at in range(1, 30):
        world.before = {one: read_secret(folder / one) for one in SECRETS}
        world.actions, world.interrupted_at = 0, at
        try:
            rotator(world).rotate(name)
        except Interrupted:
            world.check()
            begun = journal.load(folder)
            assert begun is not None
            world.interrupted_at = 0
            rotator(world).rotate(name)
            assert read_secret(folder / name) == begun.new
        world.check()
        assert journal.load(folder) is None
        assert read_secret(folder / name) != world.before[name]
        if name == "postgres_password":
            assert world.role == read_secret(folder / name)
            assert (folder / "postgres_password_also").read_text() == ""
        elif name == "redis_password":
            assert world.redis == {_digest(read_secret(folder / name))}
        elif name == "operator_password":
            assert world.operator == read_secret(folder / name)
        if world.interrupted_at:
            break  # it ended before the interruption: every action was one
    else:
        pytest.fail("a rotation takes too many actions")
    assert world.finished[-1] == name


def test_another_rotation_finishes_the_interrupted_one_first(world: World) -> None:
    world.interrupted_at = 2
    with pytest.raises(Interrupted):
        rotator(world).rotate("token_secret")
    world.interrupted_at = 0
    rotator(world).rotate("redis_password")
    assert world.finished == ["token_secret", "redis_password"]


def _is_down(world: World) -> None:
    world.problems = ["redis is stopped"]


def _is_older(world: World) -> None:
    world.current = False


def _is_at_the_baseline(world: World) -> None:
    world.release = "baseline"


def _is_linked(world: World) -> None:
    file = world.home.secrets / "token_secret"
    file.rename(world.home.root / "elsewhere")
    file.symlink_to(world.home.root / "elsewhere")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (_is_at_the_baseline, "is at baseline"),
        (_is_down, "redis is stopped"),
        (_is_older, "of another release"),
        (_is_linked, "is a link"),
    ],
)
def test_a_rotation_that_cannot_be_done_changes_nothing(world: World, how: Callable[[World], None], said: str) -> None:
    how(world)
    before = {path.name: path.read_bytes() for path in world.home.secrets.iterdir()}
    with pytest.raises(PlumblineError, match=said) as caught:
        rotator(world).rotate("token_secret")
    assert caught.value.hint
    assert {path.name: path.read_bytes() for path in world.home.secrets.iterdir()} == before


def test_the_former_key_can_be_ended(world: World) -> None:
    assert not rotator(world).end_former()
    rotator(world).rotate("token_secret")
    keys = RotatingSecret(world.home.secrets / "token_secret")
    assert len(keys.accepted()) == 2
    rotator(world).rotate("token_secret")
    assert len(keys.accepted()) == 3
    world.overlapping["token_secret"].clear()
    assert rotator(world).end_former() == 2
    assert [one.text for one in keys.accepted()] == [read_secret(world.home.secrets / "token_secret")]


def test_a_key_that_an_interrupted_rotation_replaces_is_ended_too(world: World) -> None:
    world.interrupted_at = 2
    with pytest.raises(Interrupted):
        rotator(world).rotate("token_secret")
    world.interrupted_at = 0
    world.overlapping["token_secret"].clear()
    assert rotator(world).end_former() == 1
    rotator(world).rotate("redis_password")
    keys = RotatingSecret(world.home.secrets / "token_secret")
    assert world.before["token_secret"] not in [one.text for one in keys.accepted()]


def test_a_secret_that_was_replaced_by_hand_stays_after_an_interrupted_rotation(world: World) -> None:
    world.interrupted_at = 2
    with pytest.raises(Interrupted):
        rotator(world).rotate("operator_password")
    world.interrupted_at = 0
    chosen = "a password that the operator chose"
    (world.home.secrets / "operator_password").write_text(chosen)
    rotator(world).rotate("redis_password")
    assert read_secret(world.home.secrets / "operator_password") == chosen
    assert journal.load(world.home.secrets) is None


def test_a_mounted_file_keeps_its_inode_and_shows_no_part(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("a value of before")
    file.chmod(0o444)
    inode = file.stat().st_ino
    for text in ("short one", "", "a value that is longer than the first"):
        secret_files.write_in_place(file, text.encode())
        assert (file.read_text(), file.stat().st_ino, file.stat().st_mode & 0o777) == (text, inode, 0o444)
