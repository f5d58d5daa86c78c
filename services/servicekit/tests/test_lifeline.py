"""Workers and their parent, with the real server: none outlives the other, and one that hangs is killed."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests
from servicekit import lifeline
from servicekit.lifeline import MISSED_MAX, STARTING_MAX, UNHEARD_MAX, Watch

from plumbline.net import free_port
from plumbline.verification.throwaway import wait_until

SERVER = """
    import asyncio, contextlib, os, pathlib, sys
    from granian import Granian
    from servicekit import forking, lifeline

    lifeline.EVERY_S = 0.05  # in each worker as well

    @contextlib.asynccontextmanager
    async def lifespan():
        beating = asyncio.create_task(lifeline.beat_from_loop())
        yield
        beating.cancel()

    def asgi():
        lifeline.end_with_parent()
        pathlib.Path(f"up-{os.getpid()}").touch()
        life = lifespan()

        async def app(scope, receive, send):
            if scope["type"] == "lifespan":
                for word, act in (("startup", life.__aenter__), ("shutdown", lambda: life.__aexit__(None, None, None))):
                    await receive()
                    await act()
                    await send({"type": f"lifespan.{word}.complete"})
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"served"})

        return app

    def wsgi():
        lifeline.end_with_parent()
        pathlib.Path(f"up-{os.getpid()}").touch()
        lifeline.beat_from_thread(lambda: True)

        def app(environ, start_response):
            start_response("200 OK", [])
            return [b"served"]

        return app

    if __name__ == "__main__":
        forking.prepare(["server"])
        with lifeline.watched_workers() as watch:
            server = Granian(f"server:{sys.argv[1]}", factory=True, interface=sys.argv[1], port=int(sys.argv[2]),
                             workers=2, respawn_failed_workers=True, respawn_interval=0.1, log_enabled=False)
            server.on_startup(watch)
            server.serve()
"""


class Server:
    """A server of two workers."""

    def __init__(self, folder: Path, interface: str) -> None:
        (folder / "server.py").write_text(textwrap.dedent(SERVER))
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/"
        path = [str(folder), *(entry for entry in sys.path if entry)]
        self.parent = psutil.Popen(
            [sys.executable, str(folder / "server.py"), interface, str(port)],
            cwd=folder,
            env={"PYTHONPATH": ":".join(path), "TMPDIR": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self.serves, "the server serves")
        wait_until(lambda: len(list(folder.glob("up-*"))) == 2, "both workers follow their parent")

    def serves(self) -> bool:
        """Return whether a request is answered; a worker that hangs does not answer."""
        try:
            return requests.get(self._url, timeout=0.5).text == "served"
        except requests.RequestException:
            return False

    def workers(self) -> list[psutil.Process]:
        """Return the workers that have not ended."""
        return [one for one in self.parent.children() if not gone(one)]

    def end(self) -> None:
        """Kill the server and all its children."""
        for one in [self.parent, *self.parent.children(recursive=True)] if self.parent.is_running() else []:
            one.kill()
        self.parent.wait(10)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    started: list[Server] = []

    def start(interface: str) -> Server:
        started.append(Server(tmp_path, interface))
        return started[-1]

    yield start
    for server in started:
        server.end()


def gone(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_workers_end_with_a_parent_that_was_killed(serve: Callable[[str], Server], interface: str) -> None:
    server = serve(interface)
    busy, hung = server.workers()
    hung.suspend()
    server.parent.kill()
    wait_until(lambda: gone(busy) and gone(hung), "both workers have ended", 10)


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_a_worker_that_hangs_is_replaced(serve: Callable[[str], Server], interface: str) -> None:
    server = serve(interface)
    before = server.workers()
    before[0].suspend()
    wait_until(lambda: gone(before[0]), "the worker that hangs is killed")
    wait_until(lambda: len(server.workers()) == 2 and before[1] in server.workers(), "another takes its place")
    assert server.parent.is_running()
    wait_until(server.serves, "requests are answered")


def test_a_parent_that_hangs_is_killed_so_that_it_is_started_again(serve: Callable[[str], Server]) -> None:
    server = serve("asgi")
    workers = server.workers()
    server.parent.send_signal(signal.SIGSTOP)
    wait_until(lambda: all(gone(one) for one in [server.parent, *workers]), "all of it has ended")


def test_a_worker_that_misses_beats_hangs_and_one_that_beats_again_does_not() -> None:
    watch = Watch()
    watch.check({1, 2}, {1, 2}, 0)
    for second in range(1, MISSED_MAX):
        assert watch.check({1, 2}, {1}, second) == []
    assert watch.check({1, 2}, {1}, MISSED_MAX) == [2]
    assert watch.check({1, 2}, {1, 2}, MISSED_MAX + 1) == []


def test_a_worker_that_starts_has_more_time() -> None:
    watch = Watch()
    hung_after = next(second for second in range(10 * STARTING_MAX) if watch.check({1}, set(), second))
    assert hung_after == STARTING_MAX


def test_a_parent_that_was_late_itself_kills_no_worker() -> None:
    watch = Watch()
    watch.check({1}, {1}, 0)
    for minute in range(1, 3 * MISSED_MAX):
        assert watch.check({1}, set(), 60 * minute) == []


def test_without_a_watching_parent_no_beat_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLUMBLINE_BEAT_SOCKET", raising=False)
    beat = lifeline.Beat()
    for _ in range(UNHEARD_MAX + 1):
        beat.send()
    beat.close()
