"""Port-forwards to the stack. They outlive the command that starts them, and restart when a pod is replaced."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from pathlib import Path

import psycopg
from servicekit.secrets import SecretError, read_secret

from plumbline.causes import cause
from plumbline.components import LOG_SINK
from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.identity import health_of
from plumbline.patience import Patience
from plumbline.stack import PostgresAddress
from plumbline.targets.embedded.supervisor import Program, Supervisor
from plumbline.targets.kubernetes import kubectl
from plumbline.targets.kubernetes.kubectl import Cluster

_PATIENCE_S = 60
_KEPT = ("HOME", "PATH", "KUBECONFIG", "AWS_PROFILE", "CLOUDSDK_CONFIG", "NO_PROXY", "HTTPS_PROXY")
"""Variables that kubectl and its credential plugins may read."""


FORWARD = "forward-"
"""Begin of the name of a forward's program and log."""
_ROUTINE = ("Forwarding from", "Handling connection")


class PostgresPort(IntEnum):
    """Values of the state that stand for no forwarded port to Postgres."""

    EXTERNAL = 0
    """Postgres is not part of the stack."""
    NOT_FORWARDED = -1
    """There is no forward yet."""


class Forwards:
    """The forwards of one home, by name: front, postgres, redis."""

    def __init__(self, home: Home, cluster: Cluster) -> None:
        self._home = home
        self._cluster = cluster
        self._supervisor = Supervisor(home)

    def apply(self, wanted: dict[str, tuple[str, int, int]]) -> None:
        """Run exactly these forwards: name to Service, port of this machine, port of the Service."""
        program = kubectl.program() or "kubectl"
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self._supervisor.apply(
            [
                Program(
                    name=f"{FORWARD}{name}",
                    command=[
                        program,
                        *self._cluster.arguments(
                            "port-forward", "--address=127.0.0.1", f"service/{service}", f"{here}:{there}"
                        ),
                    ],
                    directory=self._home.run,
                    environment=environment,
                )
                for name, (service, here, there) in wanted.items()
            ]
        )

    def restart(self, name: str, probe: Callable[[], str | None]) -> None:
        """Restart a forward, which then uses a current pod, and wait until `probe` passes through it."""
        if not self.alive():
            raise StepError(
                "the port-forwards to the cluster have ended", hint="./deploy-local.sh up starts them again"
            )
        program = f"{FORWARD}{name}"
        self._supervisor.stop(program)
        before = len(forward_log(self._home, program))
        self._supervisor.start(program)
        patience = Patience(_PATIENCE_S)
        while (reason := probe()) is not None:
            if patience.is_over(partial(str, reason)):
                said = forward_log(self._home, program)[before:].splitlines()
                why = cause(line for line in said if not line.startswith(_ROUTINE)) or reason
                raise StepError(
                    f"the port-forward to {name} does not work after {patience}: {why}",
                    component=program,
                    hint=f"its log is {self._home.logs / program}.log",
                )
            if self._supervisor.component(program).state in ("failed", "stopped"):
                self._supervisor.start(program)
            time.sleep(0.1)

    def alive(self) -> bool:
        """Return whether the forwards run."""
        return self._supervisor.alive()

    def owner_of(self, port: int, ports: dict[str, int]) -> bool:
        """Return whether one of these forwards listens on `port`."""
        return self.alive() and port in ports.values()

    def end(self) -> None:
        """End all of them."""
        self._supervisor.shutdown()


def forward_log(home: Home, program: str) -> str:
    """Return what kubectl wrote about a forward; of a program whose name begins with FORWARD."""
    log = home.logs / f"{program}.log"
    return log.read_text(errors="replace") if log.exists() else ""


def probe_front(port: int) -> str | None:
    """Return why the front door does not answer on `port`; None if it does, even if services are down."""
    return health_of(f"http://127.0.0.1:{port}{LOG_SINK.live_path}").reason


def probe_postgres(address: PostgresAddress) -> str | None:
    """Return why a login to Postgres at `address` fails; None if it succeeds."""
    try:
        psycopg.connect(
            host=address.host, port=address.port, dbname=address.database, user=address.user,
            password=read_secret(Path(address.password_file)), connect_timeout=3,
        ).close()  # fmt: skip
    except (psycopg.OperationalError, SecretError) as error:
        return " ".join(str(error).split())
    return None
