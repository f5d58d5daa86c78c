"""One service as a process of its own, for the tests beside the services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from plumbline import ROOT, environment
from plumbline.net import free_port
from plumbline.patience import work_of
from plumbline.verification.throwaway import PostgresServer, shared_secrets, wait_until

_TIMEOUT_S = 30
_COMMAND_S = 300
"""A command that hangs ends here. A migration may take minutes on a machine that does much else."""


class ServiceProcess:
    """Runs the commands of a service and one server, on a free port, with no setting of the caller's shell.

    `package` is its Python package, `folders` those of services/ that it needs, `live` the path of its liveness.
    """

    package: str
    folders: tuple[str, ...]
    live: str

    def __init__(self, redis_url: str, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self.environment = {
            **environment.for_python(*(ROOT / "services" / name for name in self.folders)),
            "PATH": os.environ.get("PATH", os.defpath),
            "TMPDIR": str(log.parent),  # what a killed service leaves there goes with the test's folder
            **shared_secrets(log.parent),
        }
        self.set(port=self.port, redis_url=redis_url)
        self.process: subprocess.Popen[bytes] | None = None

    def set(self, **settings: object) -> None:
        """Set settings of the next start."""
        self.environment |= {f"PLUMBLINE_{name.upper()}": str(value) for name, value in settings.items()}

    def use_postgres(self, postgres: PostgresServer, token_secret: str) -> None:
        """Set where the database is, and the secret that signs tokens."""
        token_file = self.log.parent / "token_secret"
        token_file.write_text(token_secret)
        self.set(
            postgres_port=postgres.port, postgres_password_file=postgres.password_file, token_secret_file=token_file
        )

    def command(self, verb: str, package: str | None = None) -> list[str]:
        """Return a command line of the service, or of another package that it can import."""
        return [sys.executable, "-m", package or self.package, verb]

    def run(self, verb: str, package: str | None = None, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*self.command(verb, package), *arguments],
            env=self.environment, capture_output=True, text=True, timeout=_COMMAND_S, check=False,
        )  # fmt: skip

    def start(self, path: str = "") -> None:
        """Start the server and wait until `path`, its liveness if none is given, answers 200."""
        self.launch()
        path = path or self.live
        wait_until(
            lambda: self.answers(path),
            f"{path} of {self.package} answers 200; its log: {self.log}",
            progress=lambda: work_of(self.running.pid),
        )

    def launch(self) -> None:
        """Start the server, and do not wait."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command("serve"), env=self.environment, cwd="/", stdout=log, stderr=log, start_new_session=True
            )

    def answers(self, path: str) -> bool:
        """Say whether `path` answers 200. Fails if the server has ended."""
        code = self.running.poll()
        if code is not None:
            raise AssertionError(f"{self.package} ended with {code}: {self.log.read_text(errors='replace')[-3000:]}")
        try:
            return requests.get(self.url + path, timeout=_TIMEOUT_S).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    @property
    def running(self) -> subprocess.Popen[bytes]:
        """The server's main process. Fails if there is none."""
        if self.process is None:
            raise AssertionError(f"{self.package} is not running")
        return self.process

    def stop(self) -> int:
        """Stop the server with SIGTERM, as a supervisor does; return its exit code, 0 if it was not running."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(_TIMEOUT_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the server and its workers. Harmless if it is not running."""
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(_TIMEOUT_S)
            self.process = None

    def entries(self) -> list[dict[str, Any]]:
        """Return the log entries of the server."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_for_entries(self, what: str, **parts: str) -> list[dict[str, Any]]:
        """Return the entries whose fields contain these parts. They may be written after the answer was sent."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.entries() if all(part in str(one.get(key)) for key, part in parts.items())]

        wait_until(lambda: bool(found()), f"an entry of the log: {what}")
        return found()
