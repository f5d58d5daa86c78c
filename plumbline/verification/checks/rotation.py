"""Secrets of a running stack that are replaced while clients use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from servicekit.rotating import Value, read_others, text_of

from plumbline import secret_files
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import commands
from plumbline.verification.checks.client import Answer, Socket

_ENOUGH = 5
"""Successful rounds of each client after a rotation, before it counts as survived."""
_WAIT_S = 60.0
_SHOWN = 5


class Load:
    """Clients that each repeat one thing until they are stopped, and record every answer that is not as expected."""

    def __init__(self, **clients: Callable[[int], Answer | None]) -> None:
        self.rounds = dict.fromkeys(clients, 0)
        self._failed: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=one) for one in clients.items()]

    def _repeat(self, name: str, client: Callable[[int], Answer | None]) -> None:
        while not self._stop.is_set():
            try:
                answer = client(self.rounds[name])
                if answer is not None and answer.status not in (200, 201):
                    self._fail(name, f"{answer.url} was answered with {answer.status}, {answer.body[:200]!r}")
            except Exception as error:
                self._fail(name, repr(error))
            self.rounds[name] += 1

    def _fail(self, name: str, what: str) -> None:
        self._failed.append(f"{time.strftime('%H:%M:%S')} {name}, round {self.rounds[name]}: {what}")

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.go_on()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_WAIT_S)

    def go_on(self) -> None:
        """Wait until each client has done some more rounds."""
        wanted = {name: count + _ENOUGH for name, count in self.rounds.items()}
        deadline = time.monotonic() + _WAIT_S
        while any(self.rounds[name] < count for name, count in wanted.items()):
            assert time.monotonic() < deadline, f"clients are stuck: {self.rounds}, failed: {self._failed}"
            time.sleep(0.02)

    def expect_no_failure(self, meanwhile: str) -> None:
        """Fail if an answer was not as expected, and show which."""
        count = len(self._failed)
        shown = "\n".join(self._failed[:_SHOWN])
        assert not count, f"{count} of {sum(self.rounds.values())} requests failed during {meanwhile}:\n{shown}"


def wait_for_messages(socket: Socket, contents: Iterable[str]) -> None:
    """Wait until a listener was sent all of these messages, in any order: server processes overtake each other."""
    wanted = set(contents)
    deadline = time.monotonic() + _WAIT_S
    while missed := wanted - {frame.get("content") for frame in socket.drain() if frame["type"] == "message"}:
        assert time.monotonic() < deadline, (
            f"backend: {len(missed)} of {len(wanted)} messages did not reach a listener, such as {sorted(missed)[:5]}"
        )
        time.sleep(0.1)


def rotate(stack: Stack, name: str, *options: str) -> str:
    """Run the command as an operator does, and return what it prints."""
    return commands.output("rotate-secret", name, "--home", commands.home_of(stack), *options)


def rotate_killed(stack: Stack, name: str, killed_at: Path) -> list[str]:
    """Run the command, killed before each of its actions in turn, to its end; return the actions."""
    commands.output(
        commands.home_of(stack), name, str(killed_at), module="plumbline.verification.checks.killed_rotation"
    )
    return killed_at.read_text().splitlines()


def other_values(stack: Stack, name: str) -> tuple[Value, ...]:
    """Return the values of a secret that are accepted beside the current one."""
    return read_others(Path(commands.home_of(stack)) / "secrets" / secret_files.also(name))


def accept(target: Target, stack: Stack, name: str, values: Iterable[Value]) -> None:
    """Let running components accept these values beside the current one, as a rotation does."""
    file = Path(commands.home_of(stack)) / "secrets" / secret_files.also(name)
    time.sleep(0.05)  # readers see a change by the file's time
    secret_files.replace(file, text_of(values).encode(), mounted=getattr(target, "secrets_are_mounted", False))
    deliver: Callable[[], None] = getattr(target, "deliver_secrets", lambda: None)
    deliver()
