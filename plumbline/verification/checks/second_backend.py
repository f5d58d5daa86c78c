"""A second backend beside the running one: the same program and settings, except for those that are given."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from servicekit.secrets import read_secret

from plumbline import net
from plumbline.components import BACKEND
from plumbline.errors import NotGivenError
from plumbline.inside import Inside, Process
from plumbline.patience import Patience, work_of
from plumbline.stack import Stack
from plumbline.verification.checks.client import TIMEOUT_S, Answer
from plumbline.verification.checks.contract import HEALTH_PATHS, INTERNAL_HEADER
from plumbline.verification.checks.disruption import permit


@dataclass(frozen=True, slots=True)
class SecondBackend:
    """Calls the second backend directly, as Caddy does."""

    url: str
    secret: str

    def register(self, username: str, password: str, invite: str | None = None) -> Answer:
        """Register an account."""
        account: dict[str, Any] = {"username": username, "password": password, "display_name": None}
        if invite is not None:
            account["invite"] = invite
        with net.direct_session() as http:
            headers = {INTERNAL_HEADER: self.secret, "X-Request-Id": "second-backend"}
            return Answer(http.post(f"{self.url}/auth/register", json=account, headers=headers, timeout=TIMEOUT_S))


def _main_process(inside: Inside) -> Process:
    own = [one for one in inside.processes if one.component == BACKEND.name and not one.place]
    pids = {one.pid for one in own}
    main = next((one for one in own if one.parent not in pids), None)
    if main is None:
        raise NotGivenError("needs to run a second backend on the stack's database (--target embedded)")
    return main


@contextmanager
def second_backend(stack: Stack, inside: Inside, **settings: str) -> Iterator[SecondBackend]:
    """Run a second backend with other settings. Raises NotGivenError if the stack does not run on this machine."""
    permit("runs a second backend")
    main, port = _main_process(inside), net.free_port()
    changed = {f"PLUMBLINE_{name.upper()}": value for name, value in settings.items()}
    environment = {**main.environment, BACKEND.port.setting: str(port), "PLUMBLINE_WORKERS": "1", **changed}
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(main.command, env=environment, cwd="/", stdout=log, stderr=log)
        try:
            patience = Patience(TIMEOUT_S)
            while not _answers(f"{url}{HEALTH_PATHS[BACKEND.name]}"):
                if process.poll() is not None or patience.is_over(lambda: work_of(process.pid)):
                    log.seek(0)
                    raise AssertionError(f"backend: a second one did not start: {log.read().decode()[-2000:]}")
                time.sleep(0.05)
            yield SecondBackend(url, read_secret(Path(stack.home) / "secrets" / "internal_secret"))
        finally:
            process.terminate()
            process.wait(2 * TIMEOUT_S)


def _answers(url: str) -> bool:
    try:
        with net.direct_session() as http:
            return http.get(url, timeout=5).ok
    except requests.RequestException:
        return False
