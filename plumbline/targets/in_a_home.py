"""The common part of all targets: the state of the stack in a home, and the identity of each deployment."""

from __future__ import annotations

import ipaddress
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

from servicekit import facts

from plumbline import checkout, net, preflight, secret_files
from plumbline.backups import schedule
from plumbline.components import BACKEND, CADDY, MIGRATING, migration_step
from plumbline.errors import PlumblineError, StepError
from plumbline.home import Home, State
from plumbline.https import authority
from plumbline.https.door import LOCAL, Https, keep_copies
from plumbline.identity import compare
from plumbline.plan import Lineup, lineup_of
from plumbline.releases import history
from plumbline.rotation import journal
from plumbline.settings.resolve import Setting, Wanted, default, wanted
from plumbline.stack import Component, OperatorAccount, PostgresAddress, RedisAddress, Stack
from plumbline.targets import postgres_shell

_SESSION_TTL = "PLUMBLINE_SESSION_TTL_S"
_FRONT_HOST, _FRONT_PORT = "PLUMBLINE_FRONT_HOST", "PLUMBLINE_FRONT_PORT"

_READY_AGAIN_S = 30
"""How long a service that was ready may need to be so again, such as after a slow answer of the database."""


class TargetInAHome(ABC):
    """The part of a target that does not depend on how components run."""

    name: str
    refused_settings: Mapping[str, str] = {}
    """Settings that this target refuses, and why."""

    def __init__(self, home: Home, front_port: int | None = None) -> None:
        self.home = home
        self._state: State = home.load()
        self._wanted_front = front_port
        self._wanted_https = self._https

    @property
    def _https(self) -> Https | None:
        """The HTTPS that the stack was deployed with."""
        return Https.remembered(self._state.https)

    def want_https(self, https: Https | None) -> None:
        """Set the HTTPS of the next deployment."""
        self._wanted_https = https

    def _https_problems(self) -> list[str]:
        https = self._wanted_https
        if https is None:
            return []
        if https == self._https:
            return https.problems()
        redirect = preflight.port_problems(https.http_port, self._owns_redirect, "--http-port")
        # Only now: a stack that has its certificate starts also while its authority is away.
        return [*(https.problems() or https.authority_problems()), *redirect]

    def _owns_redirect(self, port: int) -> bool:
        """Return whether the redirect of this stack listens on `port`."""
        return self._https is not None and port == self._https.http_port

    @property
    def lineup(self) -> Lineup:
        """What the stack consists of: this release, or the baseline."""
        return lineup_of(self._state.release)

    @cached_property
    def _wanted(self) -> Wanted:
        """The settings of settings.env."""
        return wanted(self.home.settings, refused=self.refused_settings, defaults=self._setting_defaults())

    def _setting_defaults(self) -> Mapping[str, Mapping[str, str]]:
        """Return this target's settings for each part that differ from the part's own defaults."""
        return {}

    @property
    def _applied(self) -> Wanted:
        """The settings that the stack was deployed with."""
        return Wanted(tuple(map(Setting.remembered, self._state.settings)))

    def _settings_problems(self) -> list[str]:
        found = list(self._wanted.problems)
        port = self._wanted.of(CADDY.name).get(_FRONT_PORT)
        if port and self._wanted_front is not None and str(self._wanted_front) != port:
            found.append(
                f"--port {self._wanted_front} contradicts {_FRONT_PORT}={port} in {self.home.settings}: drop one"
            )
        return found

    def _is_as_wanted(self) -> bool:
        """Return whether the stack was deployed with the settings, secrets and front port that are wanted now."""
        if self._wanted_https != self._https or self._https_problems():
            return False
        if self._settings_problems() or self._wanted.settings != self._applied.settings:
            return False
        if secret_files.fingerprints(self.home.secrets) != self._state.secrets:
            return False
        return self._front_port() in (0, self._state.ports["front"])

    def _front_port(self) -> int:
        """Return the front port to use; 0 means any free port."""
        if self._wanted_front is not None:
            return self._wanted_front
        port = self._wanted.of(CADDY.name).get(_FRONT_PORT)
        return int(port) if port else self._state.ports.get("front", facts.FRONT_PORT)

    def _front_url(self) -> str:
        """Return the front door's address for clients on this machine."""
        if self._https is None:
            return f"http://{self._front()}"
        net.trust(self._ca_file())
        return f"https://{LOCAL}:{self._state.ports.get('front', 0)}"

    def _ca_file(self) -> Path:
        """Return the file with the certificate of Caddy's own authority."""
        return self.home.tls / "authority.pem"

    def _front(self) -> str:
        """Return the front door's address on this machine, as host:port."""
        host = self._applied.of(CADDY.name).get(_FRONT_HOST, "127.0.0.1")
        if ipaddress.ip_address(host).is_unspecified:
            host = "127.0.0.1"
        return f"{f'[{host}]' if ':' in host else host}:{self._state.ports.get('front', 0)}"

    def run(self, step: str) -> str:
        """Run one step of the plan and return its result in a few words."""
        steps: dict[str, Callable[[], str]] = {
            "secrets": self._make_secrets,
            "images": self._make_images,
            **{one.name: partial(self._bring_up, *one.components) for one in self.lineup.plan if one.components},
            **{migration_step(name): partial(self._migrate, name) for name in MIGRATING},
            "identity": self._verify_identity,
        }
        return (steps | self._own_steps())[step]()

    def _own_steps(self) -> dict[str, Callable[[], str]]:
        """Return the steps that this target implements differently."""
        return {}

    @abstractmethod
    def _make_images(self) -> str:
        """Build the images of the stack, if it uses images."""

    @abstractmethod
    def _bring_up(self, *names: str) -> str:
        """Start components and wait until each is ready."""

    @abstractmethod
    def _migrate(self, name: str, back_to: str = "") -> str:
        """Run the migrations of a component, or reverse those after a revision. Raises StepError."""

    def migrate_back(self, name: str, revision: str) -> None:
        """Reverse the migrations of a component that are newer than `revision`. Raises StepError."""
        self._migrate(name, revision)

    @abstractmethod
    def stack(self) -> Stack:
        """Return the current state of the stack."""

    def _stack(self, front: str, postgres: PostgresAddress, redis: str, components: Iterable[Component]) -> Stack:
        """Return the stack with these addresses of its front door and Redis, each `host:port`."""
        https = self._https
        return Stack(
            stack_id=self._state.stack_id,
            target=self.name,
            phase=self._state.phase,
            version=facts.VERSION,
            home=str(self.home.root),
            base_url=self._front_url() if https else f"http://{front}",
            public_url=https.public_url(self._state.ports.get("front", 0)) if https else "",
            ca_file=str(self._ca_file()) if https else "",
            postgres=postgres,
            redis=RedisAddress(f"redis://{redis}/0", str(self.home.secrets / "redis_password")),
            operator=OperatorAccount(facts.OPERATOR_USERNAME, str(self.home.secrets / "operator_password")),
            components=tuple(components),
            settings=tuple(one.line() for one in self._applied.settings if one.differs),
            release=self._state.release,
        )

    def _postgres_at(self, host: str, port: int) -> PostgresAddress:
        """Return the address of the stack's own database."""
        password_file = str(self.home.secrets / "postgres_password")
        return PostgresAddress(host, port, facts.DATABASE_NAME, facts.DATABASE_USER, password_file)

    def postgres_command(self, program: str, *arguments: str) -> list[str]:
        """Return the command line that runs a program of Postgres on the stack's own database."""
        return self.postgres_script(postgres_shell.RUN_PROGRAM, program, *arguments)

    @abstractmethod
    def postgres_script(self, script: str, *arguments: str) -> list[str]:
        """Return the command line that runs a bash script beside Postgres."""

    def schedule_backups(self, every: str, keep: int) -> str:
        """Make a backup regularly by a timer of this machine, verify it and keep so many. Return what was done."""
        return schedule.install(self.home, every, keep)

    def scheduled_backup(self) -> datetime | None:
        """Return None: all backups are in the home."""
        return None

    def fetch_backup(self, place: Path) -> str:
        """Raise PlumblineError: all backups are in the home."""
        del place
        raise PlumblineError("the backups of this target are in the home already", hint="./deploy-local.sh backup list")

    @abstractmethod
    def throwaway_postgres(self, script: str, *arguments: str) -> AbstractContextManager[list[str]]:
        """Yield the command line that runs a bash script with a new, empty Postgres."""

    @property
    def _marks_of_secrets(self) -> dict[str, str]:
        """The fingerprints with which components are started; a rotation does not change them, so nothing restarts."""
        return self._state.secrets | self._state.started_with

    def rotated(self, name: str) -> None:
        """Store that a secret was replaced without a restart."""
        known = {name: self._state.secrets.get(name, ""), **self._state.started_with}
        now = secret_files.fingerprints(self.home.secrets)
        self._state = self.home.save(self._state, secrets=now, started_with=known)

    secrets_are_mounted = False
    """Whether components see the secret files through mounts, so that a file must keep its inode."""

    def session_lifetime_s(self) -> int:
        """Return how long a session token is valid."""
        told = self._applied.of(BACKEND.name).get(_SESSION_TTL)
        return int(told or default(BACKEND.name, _SESSION_TTL))

    def _remembers(self, marks: dict[str, str]) -> bool:
        """Return whether the deployment was made from files and programs with these marks."""
        return marks == {"sources": self._state.sources, "programs": self._state.programs}

    def _begin(self, marks: dict[str, str], *, resume: bool) -> None:
        """Store that a deployment has begun.

        Without `resume` it gets a new identity, so that no process of an earlier deployment passes for one of this.
        """
        if not resume:
            self._state = self.home.save(self._state, stack_id=secrets.token_hex(8), **marks)
        settings = [asdict(one) for one in self._wanted.settings]
        https = (
            keep_copies(self._wanted_https, self.home.tls, shared=self.secrets_are_mounted)
            if self._wanted_https
            else None
        )
        self._state = self.home.save(
            self._state, phase="deploying", settings=settings, https=https.as_state() if https else {}
        )
        self._wanted_https = https

    def switch(self, release: str, snapshot: str = "") -> None:
        """Stop what the line-up of `release` lacks, and store that the next deployment is of that release."""
        # The front door first, so that no client meets a half-stopped stack.
        gone = {*self.lineup.components} - {*lineup_of(release).components} | {CADDY.name}
        for step in reversed(self.lineup.plan):
            if names := [name for name in step.components if name in gone]:
                self._stop_for_good(*names)
        # Without marks, so that the next deployment gets an identity of its own.
        changes = {
            "release": release,
            "snapshot": snapshot or self._state.snapshot,
            "phase": "deploying",
            "sources": "",
            "programs": "",
        }
        self._state = self.home.save(self._state, **changes)

    def drop_database(self) -> None:
        """Delete the data of Postgres, which is stopped. The next deployment with Postgres restores the snapshot."""
        self._state = self.home.save(self._state, restore=self._state.snapshot)
        self._delete_database()

    @abstractmethod
    def _delete_database(self) -> None:
        """Delete the data of Postgres, which is stopped; also what an interrupted deletion has left."""

    def database_restored(self) -> None:
        """Store that the snapshot was restored."""
        self._state = self.home.save(self._state, snapshot="", restore="")

    @abstractmethod
    def _stop_for_good(self, *names: str) -> None:
        """Stop components, so that nothing starts them again: those that the next release lacks, and the front door."""

    def _make_secrets(self) -> str:
        created = secret_files.generate(self.home.secrets)
        secret_files.tidy(self.home.secrets)
        before, now = self._state.secrets, secret_files.fingerprints(self.home.secrets, make_key=True)
        changed = [name for name in now if before.get(name, now[name]) != now[name]]
        self._end_former(changed)
        kept = {name: mark for name, mark in self._state.started_with.items() if name not in changed}
        self._state = self.home.save(self._state, secrets=now, started_with=kept)
        return "; ".join([f"{len(created)} generated" if created else "all present", *map(_replaced, changed)])

    def _end_former(self, changed: list[str]) -> None:
        """Accept no former value of a secret that was replaced by hand. An interrupted rotation still needs its own."""
        begun = journal.load(self.home.secrets)
        for name in changed:
            file = self.home.secrets / secret_files.also(name)
            if name in secret_files.OVERLAPPING and (begun is None or begun.name != name) and file.read_bytes():
                secret_files.replace(file, b"", mounted=self.secrets_are_mounted)

    def _differences(self, patience_s: float = 0) -> list[str]:
        """Return how the services behind the front door differ from this deployment; empty if they belong to it."""
        return compare(self.stack().base_url, self._state.stack_id, patience_s, self.lineup.health_paths)

    def _verify_identity(self) -> str:
        differences = self._differences(_READY_AGAIN_S)
        if differences:
            raise StepError("; ".join(differences), component=CADDY.name, hint="./deploy-local.sh down, then up again")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        release = {"version": facts.VERSION, "commit": checkout.commit()}
        earlier = history.before(self._state.earlier, self._state.deployed, release)
        self._state = self.home.save(self._state, phase="ready", deployed_at=now, deployed=release, earlier=earlier)
        https = self._https
        if https is not None and https.issuer == "acme":
            return f"{self._state.stack_id}{authority.missing(https.domain, self._state.ports['front'])}"
        return self._state.stack_id


def _replaced(name: str) -> str:
    consequence = secret_files.CONSEQUENCES.get(name)
    return f"{name} was replaced: {consequence}" if consequence else f"{name} was replaced"
