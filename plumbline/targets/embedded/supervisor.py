"""The supervisor of the embedded target (supervisord): its configuration, and a client for its XML-RPC interface."""

from __future__ import annotations

import configparser
import contextlib
import http.client
import os
import re
import select
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport, UnixStreamHTTPConnection

from plumbline.errors import PlumblineError, StepError
from plumbline.home import Home
from plumbline.patience import Patience, work_of
from plumbline.stack import Component, ComponentState
from plumbline.targets.embedded import condition, control_socket, leftovers

_NAME = "supervisord"
_LOG = f"{_NAME}.log"
_LAUNCH = Path(__file__).with_name("launch.py")
_ANSWER_S = 10.0
"""Time without CPU time after which supervisord hangs. Normally it answers at once."""
_STOPS_S = 60.0
"""How long programs may take to end, or supervisord to start or end, if nothing changes meanwhile."""
LOG_MAX_BYTES = 10 * 1024**2
LOG_FILES_KEPT = 3
OWN_LOGS = frozenset({_LOG})
"""Logs that their writer rotates itself."""
# STARTING means younger than one second. It counts as running: probes, not the age, decide whether it is ready.
_STATES: dict[str, ComponentState] = {
    "RUNNING": "running", "STARTING": "running", "BACKOFF": "failed", "FATAL": "failed", "EXITED": "failed",
    "UNKNOWN": "failed", "STOPPED": "stopped", "STOPPING": "stopped",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Program:
    """A process to supervise. `user` is its account, None for the caller's own."""

    name: str
    command: list[str]
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: str = "TERM"
    stop_wait_s: int = 15
    autostart: bool = False

    def section(self, logs: Path, priority: int) -> str:
        """Return this program's section of supervisord.conf."""
        environment = ",".join(f'{name}="{_escape(value)}"' for name, value in sorted(self.environment.items()))
        lines = [
            f"[program:{self.name}]",
            f"command={' '.join(_quote(part) for part in self._launched(logs))}",
            f"directory={_escape(str(self.directory))}",
            f"environment={environment}",
            f"priority={priority}",
            f"autostart={str(self.autostart).lower()}",
            "autorestart=true",
            "startsecs=1",
            "startretries=1000",
            f"stopsignal={self.stop_signal}",
            f"stopwaitsecs={self.stop_wait_s}",
            "killasgroup=true",
            "redirect_stderr=true",
            "stdout_logfile=NONE",
        ]
        return "\n".join(lines) + "\n"

    def _launched(self, logs: Path) -> list[str]:
        log = logs / f"{self.name}.log"
        return [sys.executable, "-I", "-S", str(_LAUNCH), str(log), self.user or "", *self.command]


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def _quote(part: str) -> str:
    return "'" + _escape(part).replace("'", "'\"'\"'") + "'"


class _Connection(UnixStreamHTTPConnection):  # type: ignore[misc]
    """A connection that waits for an answer as long as supervisord, process `pid`, works."""

    pid: int | None = None

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_ANSWER_S)
        self.sock.connect(self.socketfile)

    def getresponse(self) -> http.client.HTTPResponse:
        waiting, patience = select.poll(), Patience(_ANSWER_S)
        waiting.register(self.sock, select.POLLIN)
        while not waiting.poll(100):
            if patience.is_over(lambda: work_of(self.pid)):
                raise TimeoutError(f"{_NAME} did not answer within {patience}")
        response: http.client.HTTPResponse = super().getresponse()
        return response


class _Transport(SupervisorTransport):  # type: ignore[misc]
    def __init__(self, socket_file: Path, pid_file: Path) -> None:
        super().__init__(None, None, serverurl=f"unix://{socket_file}")
        self._get_connection = self._connect  # an attribute in the base class, so a method would not replace it
        self._file = str(socket_file)
        self._pid_file = pid_file

    def _connect(self) -> _Connection:
        connection = _Connection("localhost")
        connection.socketfile = self._file
        with contextlib.suppress(OSError, ValueError):
            connection.pid = int(self._pid_file.read_text())
        return connection


class Supervisor:
    """The supervisord of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._config = home.run / "supervisord.conf"
        self._pid_file = home.run / "supervisord.pid"
        self._connect_to(control_socket.find(home))

    def _connect_to(self, socket_file: Path) -> None:
        self._socket = socket_file
        self._transport = _Transport(self._socket, self._pid_file)
        self._rpc: Any = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=self._transport).supervisor

    def _call(self, method: str, *arguments: object) -> Any:
        try:
            return getattr(self._rpc, method)(*arguments)
        except (OSError, http.client.HTTPException):
            self._transport.close()  # after a failure, the connection would refuse all later calls
            raise

    def alive(self) -> bool:
        """Return whether this home's supervisord answers."""
        if not self._socket.exists():
            return False
        try:
            self._call("getState")
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return False
        return True

    def pid(self) -> int | None:
        """Return supervisord's process id if it is alive."""
        return int(self._call("getPID")) if self.alive() else None

    def hung_pid(self) -> int | None:
        """Return supervisord's process id if it exists but does not answer."""
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            ours = str(self._config) in process.cmdline()
        except (OSError, ValueError, psutil.Error):
            return None
        return process.pid if ours and not self.alive() else None

    def end_if_hung(self) -> None:
        """Kill a supervisord that does not answer. Its programs keep running as leftover processes."""
        pid = self.hung_pid()
        if pid is not None:
            process = psutil.Process(pid)
            process.kill()
            _wait(process)

    def apply(self, programs: list[Program]) -> None:
        """Configure supervisord with exactly `programs`, and start it if needed. Unchanged programs keep running."""
        for program in programs:
            if not os.access(program.command[0], os.X_OK):
                sentence = f"{program.name} cannot be started: {program.command[0]} does not exist or is not executable"
                raise StepError(sentence, component=program.name)
        running = self.alive()
        if not running:
            self._connect_to(control_socket.make(self._home))
        text = self._render(programs)
        for program in programs:
            program.directory.mkdir(parents=True, exist_ok=True)
        partial = self._config.with_suffix(".partial")
        partial.write_text(text)
        partial.chmod(0o600)
        partial.replace(self._config)
        if not running:
            self._launch()
            return
        added, changed, removed = self._call("reloadConfig")[0]
        for name in [*changed, *removed]:
            self.stop(name)
            self._call("removeProcessGroup", name)
        for name in [*added, *changed]:
            self._call("addProcessGroup", name)

    def _render(self, programs: list[Program]) -> str:
        run, logs = _escape(str(self._home.run)), _escape(str(self._home.logs))
        head = f"""\
; Written by Plumbline at every deployment. Changes made by hand are lost.
[supervisord]
logfile={logs}/{_LOG}
logfile_maxbytes=5MB
logfile_backups=1
pidfile={_escape(str(self._pid_file))}
childlogdir={logs}
directory={run}
umask=077
{"user=root" if os.geteuid() == 0 else ""}

[unix_http_server]
file={_escape(str(self._socket))}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{_escape(str(self._socket))}

"""
        return head + "\n".join(program.section(self._home.logs, 10 * (i + 1)) for i, program in enumerate(programs))

    def _launch(self) -> None:
        # A clean environment, so that the services inherit no variable, and no secret, of the caller's shell.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._home.run), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [sys.executable, "-I", "-m", "supervisor.supervisord", "-c", str(self._config)],
            env=environment, cwd=self._home.run, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise StepError(
                f"supervisord did not start: {(done.stderr or done.stdout).strip()}",
                component=_NAME,
                exit_code=done.returncode,
            )
        patience = Patience(_STOPS_S)
        while not self.alive():
            if patience.is_over():
                raise StepError(f"{_NAME} does not answer after {patience}", component=_NAME)
            time.sleep(0.02)

    def command(self, name: str) -> list[str]:
        """Return the command line of one program as it is configured, without the launcher's own arguments."""
        parser = configparser.RawConfigParser()
        parser.read(self._config)
        words = shlex.split(parser[f"program:{name}"]["command"].replace("%%", "%"))
        return words[words.index(str(self._home.logs / f"{name}.log")) + 2 :]

    def component(self, name: str) -> Component:
        """Return the state of one program."""
        log_file = str(self._home.logs / f"{name}.log")
        try:
            info = self._call("getProcessInfo", name)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return Component(name, "stopped", log_file=log_file)
        return _component(info, log_file)

    def age(self, name: str) -> float | None:
        """Return for how many seconds a program has been running; None if it is stopped or stopping."""
        try:
            info = self._call("getProcessInfo", name)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return None
        return float(info["now"] - info["start"]) if info["statename"] == "RUNNING" else None

    def ends(self, name: str) -> list[str]:
        """Return how often and how a program ended by itself in the last minutes."""
        with contextlib.suppress(OSError):
            log = (self._home.logs / _LOG).read_text(errors="replace")
            return condition.ends(log, name, datetime.now(UTC))
        return []

    def last_end(self, name: str) -> str:
        """Return how a program last ended, as `exit status 1` or `terminated by SIGKILL`; empty if it never did."""
        # From the log: the interface reports status 0 for a program that ended within its first second.
        with contextlib.suppress(OSError):
            log = (self._home.logs / _LOG).read_text(errors="replace")
            ended = re.findall(rf" exited: {re.escape(name)} \(([^;)]*)", log)
            return ended[-1] if ended else ""
        return ""

    def exit_status(self, name: str) -> int | None:
        """Return the exit status with which a program last ended; None if it never did, or a signal ended it."""
        status = re.match(r"exit status (\d+)", self.last_end(name))
        return int(status[1]) if status else None

    def start(self, name: str) -> bool:
        """Start a program without waiting until it is ready; return False if it was already running."""
        if self.component(name).state == "running":
            return False
        with contextlib.suppress(xmlrpc.client.Fault):
            self._call("stopProcess", name)
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as error:
            raise StepError(f"{name} cannot be started: {error.faultString}", component=name) from None
        return True

    def stop(self, *names: str) -> None:
        """Stop programs concurrently and wait until they have ended."""
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):  # not running
                self._call("stopProcess", name, False)
        patience = Patience(_STOPS_S)
        while left := [name for name in names if self.component(name).pid]:
            if patience.is_over(lambda left=left: left):  # type: ignore[misc]
                raise PlumblineError(f"{', '.join(left)} did not stop within {patience}")
            time.sleep(0.02)

    def kill(self, name: str) -> None:
        """Kill a program's whole process tree; supervisord restarts it."""
        pid = self.component(name).pid
        if pid:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                for one in [process, *process.children(recursive=True)]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.kill()

    def shutdown(self) -> None:
        """Stop all programs and supervisord."""
        pid = self.pid()
        if pid is not None:
            process = psutil.Process(pid)
            with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Error):
                # supervisord itself would stop one program after the other, and check once a second.
                self.stop(*(info["name"] for info in self._call("getAllProcessInfo")))
                self._call("shutdown")
            _wait(process)
        control_socket.remove(self._home)


def _wait(process: psutil.Process) -> None:
    if leftovers.wait([process], _STOPS_S):
        raise PlumblineError(f"{_NAME} (process {process.pid}) did not end within {_STOPS_S:g} s")


def _component(info: dict[str, Any], log_file: str) -> Component:
    state = _STATES.get(info["statename"], "failed")
    since = info["start"] if state == "running" else info["stop"]
    return Component(
        name=info["name"],
        state=state,
        since=datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds") if since else None,
        pid=info["pid"] or None,
        log_file=log_file,
        detail=info["spawnerr"] or (f"exit status {info['exitstatus']}" if state == "failed" else ""),
    )
