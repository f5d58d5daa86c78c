"""Which processes run in a stack, under which account, and what they listen on: compared with what is declared here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path

from plumbline.inside import Inside, Listener, Process

SOCKETS = {
    "front": ("caddy", "tcp"),
    "internal": ("caddy", "tcp"),
    "backend": ("backend", "tcp"),
    "data-processor": ("data-processor", "tcp"),
    "log-sink": ("log-sink", "tcp"),
    "log-ingest": ("log-sink", "udp"),
    "postgres": ("postgres", "tcp"),
    "redis": ("redis", "tcp"),
}
"""Every named port of a stack: which component listens there, and how."""
WORKERS = {"backend": 2, "data-processor": 2, "worker": 2, "log-sink": 1}
"""Processes that do the work of each of our components, where no setting says otherwise."""
_ASKED_BY = {
    "backend": ("PLUMBLINE_BACKEND_WORKERS", "PLUMBLINE_WORKERS"),
    "data-processor": ("PLUMBLINE_DATA_PROCESSOR_WORKERS", "PLUMBLINE_WORKERS"),
    "worker": ("PLUMBLINE_WORKER_WORKERS", "PLUMBLINE_WORKERS"),
    "log-sink": (),
}
_WORKER, _ONCE, _WATCH, _ANY = "server process", "main process", "watch", "any number"
_KINDS: dict[str, dict[str, str]] = {
    **{
        component: {rf" -m {package} {command}$": _ONCE}
        for component, package, command in (
            ("backend", "backend", "serve"),
            ("data-processor", "data_processor", "serve"),
            ("worker", "data_processor", "work"),
            ("log-sink", "log_sink", "serve"),
        )
    },
    "postgres": {r"(^|/)postgres -D ": _ONCE, "^postgres: ": _ANY},
    "redis": {r"(^|/)redis-server ": _ONCE},
    "caddy": {r"(^|/)caddy run --config .+ --adapter caddyfile$": _ONCE},
    "supervisor": {r" -m supervisor\.supervisord -c ": _ONCE, r" -m plumbline\.targets\.embedded\.watch ": _WATCH},
}
for _decoding in ("data-processor", "worker"):
    _KINDS[_decoding][r" -m data_processor\.documents\.files\.child \d+$"] = _ANY
_LOOPBACK = "127.0.0.1"
_INIT = r"^/\S*(docker-init|tini|catatonit) "
_DEBUG_OPTIONS = re.compile(r"(^|\s)(--reload|--debug|-X\s*dev|--docs|-i)(\s|$)")
_DEBUGGING = re.compile(
    r"^(PYTHON(DEVMODE|ASYNCIODEBUG|INSPECT|BREAKPOINT|STARTUP|WARNINGS|HASHSEED)|LD_(PRELOAD|LIBRARY_PATH)|(DJANGO_)?DEBUG|"
    r"GODEBUG|(GRANIAN|UVICORN)_.*|PG(?!DATA$|_)[A-Z]+)$"
)
"""Variables that change how a program runs, or what it connects to."""
_SYSTEM = re.compile(
    r"^(PATH|HOME|TMPDIR|TZ|LC_ALL|LC_CTYPE|XDG_(DATA|CONFIG)_HOME|DJANGO_SETTINGS_MODULE|SUPERVISOR_[A-Z_]+|"
    r"PYTHON(PATH|SAFEPATH|NOUSERSITE|UNBUFFERED)|OMP_THREAD_LIMIT|OPENBLAS_NUM_THREADS)$"
)
"""What processes of this machine have in their environment beside settings."""
_TOLD = re.compile(
    r"^PLUMBLINE_(STACK_ID|HOST|PORT|REDIS_URL|LOG_FORWARD_URL|INGEST_(HOST|PORT)|POSTGRES_(HOST|PORT|DB|USER)|"
    r"(POSTGRES_PASSWORD|REDIS_PASSWORD|INTERNAL_SECRET|TOKEN_SECRET)_FILE|(FRONT|INTERNAL)_(HOST|PORT)|"
    r"BACKEND|DATA_PROCESSOR|LOG_SINK|LOG_INGEST|CADDYFILE|FILES|SWAGGER_UI|SECRETS|"
    r"REDIS_(SERVER|KEEPER_FILE)|BEAT_SOCKET|STOP_FOLDER|START_CLAIM|"
    r"DOMAIN|PUBLIC_HOST|FRONT_DOOR|AUTO_HTTPS|HTTPS?_PORT|CERTIFICATE(_KEY)?|ACME_(CA|ROOT)|COOKIE_SECURE)$"
)
"""Settings that a deployment itself tells its parts. All others must be in settings.env."""
_REDIRECT = "redirect"
_NOWHERE = {"", "unidentified", "none", "by-hand", "by_hand"}


def sockets(inside: Inside, settings: Mapping[str, str]) -> Iterator[str]:
    """Find sockets that are not declared, missing ones, and those that others than the stack can reach."""
    told = next((one.environment for one in inside.processes if one.component == "caddy"), {})
    https = told.get("PLUMBLINE_FRONT_DOOR", "").startswith("https")
    everywhere = https and told.get("PLUMBLINE_DOMAIN") != "localhost"
    front_host = settings.get("PLUMBLINE_FRONT_HOST", "0.0.0.0" if everywhere else _LOOPBACK)  # noqa: S104
    declared = {(*SOCKETS[name], inside.ports[name]): name for name in SOCKETS}
    if https:
        declared["caddy", "tcp", int(told["PLUMBLINE_HTTP_PORT"])] = _REDIRECT
    heard = set()
    for one in sorted(inside.listeners, key=str):
        name = declared.get((one.component, one.protocol, one.port))
        heard.add(name)
        if name is None:
            expected = _of(one.component, declared)
            yield f"{one.component}: listens on {_text(one)}, which is not declared; expected {expected}"
            continue
        host = front_host if name in ("front", _REDIRECT) else _LOOPBACK
        if not inside.isolated and not _is_allowed(one, host):
            yield f"{one.component}: its port {name} listens on {_text(one)}; expected the address {host}"
    for (component, protocol, port), name in declared.items():
        if name not in heard:
            yield f"{component}: nothing listens on its port {name} ({protocol} {port})"
    for one in sorted(inside.published, key=str):
        if one.component != "caddy":
            yield f"{one.component}: this machine publishes it at {_text(one)}; expected only caddy to be published"
        elif not _is_allowed(one, front_host):
            yield f"caddy: this machine publishes it at {_text(one)}; expected {front_host}"
    ports = {one.port for one in inside.published if one.component == "caddy"}
    if len(ports) > 1 + https:
        yield f"caddy: this machine publishes ports {sorted(ports)}; expected only that of the front door"


def _is_allowed(listener: Listener, host: str) -> bool:
    return listener.address == host or (host == _LOOPBACK and _is_loopback(listener.address))


def _is_loopback(address: str) -> bool:
    return address != "" and ip_address(address).is_loopback  # the engine reports "" for all addresses


def _text(listener: Listener) -> str:
    return f"{listener.protocol} {listener.address}:{listener.port}"


def _of(component: str, declared: Mapping[tuple[str, str, int], str]) -> str:
    return " and ".join(f"{protocol} {port}" for owner, protocol, port in declared if owner == component) or "nothing"


def numbers(inside: Inside, settings: Mapping[str, str]) -> Iterator[str]:
    """Find processes that are not declared, and components with another number of processes than declared."""
    places: dict[tuple[str, str], Counter[str]] = {}
    for one, kind in _kinds(inside):
        if kind is None:
            command = " ".join(one.command)[:200]
            yield f"{one.component}: process {one.pid} is not declared: {command or 'it has no command line'}"
        places.setdefault((one.component, one.place), Counter())[kind or ""] += 1
    for component in sorted({*WORKERS, *(owner for owner, _ in SOCKETS.values())} - {owner for owner, _ in places}):
        yield f"{component}: no process of it runs"
    for (component, place), found in sorted(places.items()):
        where = f"{component} ({place})" if place else component
        if found[_ONCE] != 1:
            yield f"{where}: expected 1 main process, found {found[_ONCE]}"
        if component == "supervisor" and found[_WATCH] != 1:
            yield f"{where}: expected 1 watch, which restarts hanging components, found {found[_WATCH]}"
        expected = _workers(component, settings)
        if found[_WORKER] != expected:
            yield f"{where}: expected {expected} server processes, found {found[_WORKER]}"


def _workers(component: str, settings: Mapping[str, str]) -> int:
    asked = (settings[name] for name in _ASKED_BY.get(component, ()) if name in settings)
    return int(next(asked, WORKERS.get(component, 0)))


def one_server_of_each(inside: Inside) -> list[Process]:
    """Return one server process of each service in each place."""
    return list({(one.component, one.place): one for one, kind in _kinds(inside) if kind == _WORKER}.values())


def _kinds(inside: Inside) -> Iterator[tuple[Process, str | None]]:
    """Yield each process with its kind. Server processes are forks of their main process."""
    known = {(one.component, one.place, one.pid): one for one in inside.processes}
    for one in inside.processes:
        kind, parent = _kind(one), known.get((one.component, one.place, one.parent))
        yield one, _WORKER if kind == _ONCE and parent and parent.command == one.command else kind


def _kind(process: Process) -> str | None:
    command = " ".join(process.command)
    if process.place and process.pid == 1 and re.search(_INIT, command):
        return _ANY
    return next(
        (kind for pattern, kind in _KINDS.get(process.component, {}).items() if re.search(pattern, command)), None
    )


def accounts(inside: Inside) -> Iterator[str]:
    """Find processes that run as root where they must not."""
    for one in inside.processes:
        if one.uid == 0 and one.component not in inside.may_be_root:
            yield f"{one.component}: process {one.pid} runs as root (uid 0); expected an account without privileges"


def environments(inside: Inside, stack_id: str, settings: Mapping[str, str]) -> Iterator[str]:
    """Find processes of another deployment, in a debug mode, or with settings that are not in settings.env."""
    if stack_id in _NOWHERE:
        yield f"the deployment has no identity of its own: {stack_id!r}"
    asked = {re.sub("^PLUMBLINE_(BACKEND|DATA_PROCESSOR|WORKER|LOG_SINK)_", "PLUMBLINE_", name) for name in settings}
    for one, kind in _kinds(inside):
        who = f"{one.component}: process {one.pid}"
        found = one.environment.get("PLUMBLINE_STACK_ID")
        is_serving = one.component in WORKERS and kind in (_ONCE, _WORKER)
        if is_serving and one.environment and found != stack_id:
            yield f"{who} belongs to deployment {found!r}; expected that of status, {stack_id!r}"
        for name, value in one.environment.items():
            if name.startswith("PLUMBLINE_"):
                known = _TOLD.match(name) or name in asked or inside.settings_elsewhere
                # In containers, docker/defaults sets the expected number.
                if not known and not (name == "PLUMBLINE_WORKERS" and inside.isolated):
                    yield f"{who} is told {name}={value[:80]}; expected only the settings of settings.env"
            elif _DEBUGGING.match(name):
                yield f"{who} has {name} in its environment, which changes how it runs; expected it not to be set"
            elif not inside.isolated and not _SYSTEM.match(name):
                yield f"{who} has {name} in its environment; expected no variable of the deployer's shell"
        if option := _DEBUG_OPTIONS.search(" ".join(one.command)):
            yield f"{who} runs with {option[2]}; expected no debug option"


def paths(inside: Inside, home: Path) -> Iterator[str]:
    """Find Unix sockets outside of the home, where other accounts could reach them."""
    for component, path in sorted(inside.unix_sockets):
        if not Path(path).is_relative_to(home) and not _is_private(Path(path).parent, home):
            yield f"{component}: listens on the socket {path}; expected none outside of {home}"


def _is_private(folder: Path, home: Path) -> bool:
    """Say whether others cannot enter a folder. A supervisor's socket is elsewhere if the home's path is too long."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return found.st_uid == home.stat().st_uid and not found.st_mode & 0o077
