"""`python -m log_sink serve`: run one sink."""

from __future__ import annotations

import argparse
import socket
import sys
from contextlib import closing

from granian import Granian
from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from pydantic import ValidationError
from servicekit import forking
from servicekit.facts import EXIT_CONFIG, EXIT_FAILED
from servicekit.lifeline import watched_workers
from servicekit.log.setup import configure_logging
from servicekit.secrets import SecretError
from servicekit.settings import explain
from servicekit.stopping import announced_stops

from log_sink.settings import LogSinkSettings

_KILL_AFTER_S = 4


def main() -> int:
    """Read the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m log_sink", description=__doc__)
    parser.add_subparsers(dest="command", required=True).add_parser("serve", help="receive entries and answer readers")
    parser.parse_args()
    try:
        settings = LogSinkSettings()  # type: ignore[call-arg]
        settings.redis_password()
        settings.internal_secret()
    except ValidationError as error:
        print(f"log-sink cannot start: {explain(error)}", file=sys.stderr)
        return EXIT_CONFIG
    except SecretError as error:
        print(f"log-sink cannot start: {error}", file=sys.stderr)
        return EXIT_CONFIG
    if taken := _taken(settings):
        print(f"log-sink cannot start: {taken}", file=sys.stderr)
        return EXIT_FAILED
    # This process logs when a worker hangs.
    configure_logging("log-sink", settings.log_level)
    server = Granian(
        "log_sink.app:create_app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.uvloop,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        respawn_interval=1.0,
        workers_kill_timeout=_KILL_AFTER_S,
    )
    forking.prepare(["log_sink.app"])
    with announced_stops() as announce, watched_workers() as watch:
        server.on_startup(announce)
        server.on_startup(watch)
        server.serve()
    return 0


def _taken(settings: LogSinkSettings) -> str | None:
    """Return an error message for the first address that is not free; the server would print a traceback."""
    wanted = (
        (settings.host, settings.port, socket.SOCK_STREAM, "PLUMBLINE_PORT"),
        (settings.ingest_host, settings.ingest_port, socket.SOCK_DGRAM, "PLUMBLINE_INGEST_PORT"),
    )
    for host, port, kind, variable in wanted:
        try:
            family = socket.getaddrinfo(host, port, type=kind)[0][0]
            with closing(socket.socket(family, kind)) as probe:
                if kind is socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            protocol = "TCP" if kind is socket.SOCK_STREAM else "UDP"
            return f"{protocol} {host}:{port} cannot be used ({error.strerror}); free it or set {variable}"
    return None


if __name__ == "__main__":
    sys.exit(main())
