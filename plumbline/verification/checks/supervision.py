"""Compares the supervisor's configuration of a stack on one machine, and what it starts, with what is declared here."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from plumbline.errors import NotGivenError
from plumbline.inside import Inside

_SUPERVISOR = {"umask": "077", "logfile_maxbytes": "5MB", "logfile_backups": "1"}
_SOCKET = {"chmod": "0700"}
_PROGRAM = {
    "autorestart": "true", "startsecs": "1", "startretries": "1000", "stopsignal": "TERM", "stopwaitsecs": "15",
    "killasgroup": "true", "redirect_stderr": "true", "stdout_logfile": "NONE", "autostart": "false",
}  # fmt: skip
_DIFFERENT: dict[str, dict[str, str]] = {
    "postgres": {"stopsignal": "INT", "stopwaitsecs": "30"},
    "redis": {}, "log-sink": {}, "backend": {}, "data-processor": {}, "worker": {}, "caddy": {},
    "watch": {"autostart": "true"},
}  # fmt: skip
_REDIS = r"--port \d+ --bind 127\.0\.0\.1 --daemonize no --dir \S+"
_UMASK = "0077"
_SECTIONS = {"supervisord", "unix_http_server", "rpcinterface:supervisor", "supervisorctl"}


def read(home: Path) -> dict[str, dict[str, str]]:
    """Return the supervisor's configuration. Raises NotGivenError if the stack has no supervisor on this machine."""
    file = home / "run" / "supervisord.conf"
    if not file.exists():
        raise NotGivenError("needs a stack of local processes (--target embedded)")
    parser = configparser.RawConfigParser()
    parser.read(file)
    return {name: dict(parser[name]) for name in parser.sections()}


def differences(found: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Find options of the supervisor and of its programs that are not as declared."""
    declared = {"supervisord": _SUPERVISOR, "unix_http_server": _SOCKET}
    declared |= {f"program:{name}": _PROGRAM | other for name, other in _DIFFERENT.items()}
    for section in sorted(found.keys() - declared.keys() - _SECTIONS):
        yield f"supervisor: has a section [{section}]; expected none"
    for section, options in declared.items():
        component = section.removeprefix("program:") if section.startswith("program:") else "supervisor"
        if section not in found:
            yield f"{component}: the supervisor has no section [{section}]; expected it to run {component}"
            continue
        for option, expected in options.items():
            value = found[section].get(option, "not set")
            if value != expected:
                yield f"{component}: {option} is {value} in supervisord.conf; expected {expected}"
    yield from _redis(found.get("program:redis", {}).get("command", ""))


def _redis(command: str) -> Iterator[str]:
    words = shlex.split(command)
    at = next((place for place, word in enumerate(words) if word.endswith("/redis.sh")), len(words))
    options = " ".join(words[at + 1 :])
    if not re.fullmatch(_REDIS, options):
        yield f"redis: is started with {options or 'no options'}; expected only port, loopback, foreground and folder"


def umasks(inside: Inside) -> Iterator[str]:
    """Find processes of this machine whose new files other accounts could read."""
    for one in inside.processes:
        if one.umask not in ("", _UMASK):
            yield f"{one.component}: process {one.pid} has umask {one.umask}; expected {_UMASK}"
