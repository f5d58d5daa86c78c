"""The steps in which each secret is replaced. Each step can be repeated, so an interrupted rotation is run again.

Running components accept the new value before anything uses it, and the former one until nothing does.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from servicekit.migrations import record_event
from servicekit.rotating import Value, read_others, text_of
from servicekit.secrets import SecretError, read_secret

from plumbline import secret_files
from plumbline.components import BACKEND, MIGRATING, POSTGRES, SPECS, migration_step
from plumbline.errors import PlumblineError, StepError
from plumbline.home import Home
from plumbline.rotation import journal
from plumbline.rotation.journal import Rotation
from plumbline.rotation.target import RotatingTarget

FORMER_INTERNAL_S = 300
"""How long the former internal secret is accepted."""
_CLIENTS_S = 2.0
"""A client that has read the former password connects within this time."""
_WRITES_APART_S = 0.05
"""Between two writes of a file, so that its time differs: readers see a change by it."""


@dataclass(frozen=True, slots=True)
class Rotator:
    """Replaces the secrets of one running stack."""

    home: Home
    target: RotatingTarget

    def rotate(self, name: str) -> str:
        """Replace a secret and return what holds now. Raises PlumblineError; then the same call finishes it."""
        self._check_usable(name)
        begun = self._begun()
        if begun is not None:
            said = self._finish(begun)
            if begun.name == name:
                return f"{said} (an interrupted rotation, which is finished now)"
        return self._finish(self._begin(name))

    def end_former(self) -> int:
        """End the former signing keys at once; return how many there were."""
        begun = self._begun()
        if begun is not None and begun.name == "token_secret":
            self._finish(begun)  # or else its own former key would come back with it
        ended = self._former("token_secret")
        if ended:
            self._write(secret_files.also("token_secret"), "")
            self.target.deliver_secrets()
        return len(ended)

    def _check_usable(self, name: str) -> None:
        stack = self.target.stack()
        if stack.release:
            raise PlumblineError(
                f"the stack is at {stack.release}, which knows one value of a secret only",
                hint="./deploy-local.sh rollback --forward, then run the same command again",
            )
        problems = stack.problems()
        if problems:
            raise PlumblineError(
                f"the stack is not running as a whole: {'; '.join(problems)}",
                hint="./deploy-local.sh starts what is stopped; once ./deploy-local.sh status names no problem, run "
                "the same command again",
            )
        if not self.target.from_this_checkout():
            raise PlumblineError(
                "the running services are of another release than this checkout, and might not know two secrets",
                hint="./deploy-local.sh up deploys this one, then run the same command again",
            )
        file = self.home.secrets / name
        if file.is_symlink():
            raise PlumblineError(
                f"{file} is a link, so its value is kept elsewhere",
                hint="replace the value there, then ./deploy-local.sh up restarts what reads it",
            )

    def _begun(self) -> Rotation | None:
        """Return the rotation to finish. One whose secret was replaced by hand since is forgotten."""
        begun = journal.load(self.home.secrets)
        if begun is not None and read_secret(self.home.secrets / begun.name) not in (begun.old, begun.new):
            journal.clear(self.home.secrets)
            return None
        return begun

    def _begin(self, name: str) -> Rotation:
        try:
            old = read_secret(self.home.secrets / name)
        except SecretError as error:
            raise PlumblineError(str(error), hint="./deploy-local.sh doctor") from None
        begun = Rotation(name, old, secret_files.new_value())
        begun.save(self.home.secrets)
        return begun

    def _finish(self, begun: Rotation) -> str:
        said = STEPS[begun.name](self, begun)
        self.target.rotated(begun.name)
        self._record(begun.name)
        journal.clear(self.home.secrets)
        return said

    # Files

    def _write(self, file: str, text: str) -> None:
        time.sleep(_WRITES_APART_S)
        secret_files.replace(self.home.secrets / file, text.encode(), mounted=self.target.secrets_are_mounted)

    def _is_current(self, begun: Rotation) -> bool:
        return read_secret(self.home.secrets / begun.name) == begun.new

    def _former(self, name: str) -> list[Value]:
        """Return the former values that are accepted still."""
        others = read_others(self.home.secrets / secret_files.also(name))
        return [one for one in others if one.until is not None and not one.has_ended]

    def _overlap(self, begun: Rotation, until: float) -> None:
        """Accept the new value everywhere, then use it, and accept the former one until it ends, like those before."""
        other = secret_files.also(begun.name)
        before = [one for one in self._former(begun.name) if one.text not in (begun.old, begun.new)]
        if not self._is_current(begun):
            self._write(other, text_of([Value(begun.new), *before]))
            self.target.deliver_secrets()
        # In this order: a reader that sees only the first write still uses and accepts the former value.
        self._write(other, text_of([Value(begun.old, until), *before]))
        self._write(begun.name, begun.new)
        self.target.deliver_secrets()

    # Secrets

    def token_secret(self, begun: Rotation) -> str:
        """Sign with a new key; each former one is accepted as long as its last session may last."""
        end = time.time() + self.target.session_lifetime_s()
        self._overlap(begun, end)
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(end))
        return f"sessions are signed with a new key; those of the former one end by {when}"

    def internal_secret(self, begun: Rotation) -> str:
        """Let Caddy and the services authenticate each other with a new secret."""
        self._overlap(begun, time.time() + FORMER_INTERNAL_S)
        return f"Caddy and the services use a new secret; the former one ends in {FORMER_INTERNAL_S // 60} minutes"

    def postgres_password(self, begun: Rotation) -> str:
        """Change the role's password; its open connections stay."""
        other = secret_files.also(begun.name)
        if not self._is_current(begun):
            self._write(other, text_of([Value(begun.new)]))
            self.target.deliver_secrets()
        self._set_role_password(begun)
        self._write(begun.name, begun.new)
        self.target.deliver_secrets()
        self._write(other, "")
        self.target.deliver_secrets()
        return "the database role has a new password; the former one is refused"

    def _set_role_password(self, begun: Rotation) -> None:
        address = self.target.stack().postgres
        told = {"host": address.host, "port": address.port, "dbname": address.database, "user": address.user}
        with _connection(told, begun) as connection:
            # The server gets a hash, so its log can hold no password.
            verifier = connection.pgconn.encrypt_password(
                begun.new.encode(), address.user.encode(), b"scram-sha-256"
            ).decode()
            connection.execute(
                psycopg.sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    psycopg.sql.Identifier(address.user), psycopg.sql.Literal(verifier)
                )
            )

    def redis_password(self, begun: Rotation) -> str:
        """Change the password of Redis; its open connections stay, and it keeps its entries."""
        digest = hashlib.sha256(begun.new.encode()).hexdigest()
        self.target.set_redis_passwords("accept", digest)
        self._write(begun.name, begun.new)
        self.target.deliver_secrets()
        time.sleep(_CLIENTS_S)
        self.target.set_redis_passwords("only", digest)
        return "Redis has a new password; the former one is refused"

    def operator_password(self, begun: Rotation) -> str:
        """Change the operator's password in the database, with the step of a deployment that sets it."""
        self._write(begun.name, begun.new)
        self.target.deliver_secrets()
        for component in (BACKEND.name,) if BACKEND.name in MIGRATING else ():
            self.target.run(migration_step(component))
        return f"the operator has a new password, in {self.home.secrets / begun.name}; open sessions go on"

    def _record(self, name: str) -> None:
        stack = self.target.stack()
        with psycopg.connect(**stack.postgres.parameters(), connect_timeout=10, autocommit=True) as connection:
            record_event(connection, stack.stack_id, _OWNERS[name], "rotated", name)


def _connection(told: dict[str, object], begun: Rotation) -> psycopg.Connection[object]:
    """Connect with the former password, or with the new one if it is already set."""
    try:
        return psycopg.connect(**told, password=begun.old, connect_timeout=10, autocommit=True)  # type: ignore[arg-type]
    except psycopg.OperationalError as former:
        try:
            return psycopg.connect(**told, password=begun.new, connect_timeout=10, autocommit=True)  # type: ignore[arg-type]
        except psycopg.OperationalError:
            raise StepError(f"Postgres cannot be reached: {former}".strip(), component=POSTGRES.name) from None


_OWNERS = {
    name: next(one.name for one in SPECS.values() if name in (*one.secrets, *one.migration_secrets))
    for name in secret_files.SECRETS
}
"""Secret to the component that is named in `stack_events`."""
STEPS: dict[str, Callable[[Rotator, Rotation], str]] = {
    "postgres_password": Rotator.postgres_password,
    "token_secret": Rotator.token_secret,
    "operator_password": Rotator.operator_password,
    "redis_password": Rotator.redis_password,
    "internal_secret": Rotator.internal_secret,
}
"""How each secret is rotated."""
