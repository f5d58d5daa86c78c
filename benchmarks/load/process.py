"""A process of its own, which makes load and shares no interpreter with anything else."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from types import TracebackType
from typing import Self, TypeVar

from benchmarks.load.round import LoadError

_Answer = TypeVar("_Answer")
_STOP_S = 10


class OwnProcess:
    """Runs `serve(pipe, *arguments)`, which answers tasks over the pipe until that is closed. An error is a string."""

    def __init__(self, name: str, serve: Callable[..., None], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._name = name
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(serve, theirs, *arguments), name=name, daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, task: object, kind: type[_Answer]) -> _Answer:
        """Send a task and return its answer. Raises LoadError."""
        self._pipe.send(task)
        return self.answer(kind)

    def answer(self, kind: type[_Answer]) -> _Answer:
        """Wait for an answer. Raises LoadError if it is an error, or the process has ended."""
        try:
            answer = self._pipe.recv()
        except EOFError:
            raise LoadError(f"the process {self._name} has ended") from None
        if isinstance(answer, kind):
            return answer
        raise LoadError(str(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(_STOP_S)


def _run(serve: Callable[..., None], pipe: Pipe, *arguments: object) -> None:
    # Ctrl-C ends the benchmark, which then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(pipe, *arguments)
