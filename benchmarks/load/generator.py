"""The process that makes the load."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from multiprocessing.connection import Connection as Pipe
from types import TracebackType

import uvloop

from benchmarks.load.round import LoadError, Result, Round
from benchmarks.load.run import Connection, Run


class Generator:
    """Runs rounds one after another in a process of its own, so that it shares no interpreter with anything else."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="load", daemon=True)
        self._process.start()
        theirs.close()

    def run(self, task: Round) -> Result:
        """Carry out a round. Raises LoadError at the first answer that is not correct."""
        self._pipe.send(task)
        try:
            answer = self._pipe.recv()
        except EOFError:
            raise LoadError("the load generator's process has ended") from None
        if isinstance(answer, Result):
            return answer
        raise LoadError(answer)

    def __enter__(self) -> Generator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(10)


def _serve(pipe: Pipe) -> None:
    # Ctrl-C ends the benchmark, which then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            task: Round = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(uvloop.run(carry_out(task)))
        except (LoadError, OSError) as error:
            pipe.send(str(error) or type(error).__name__)


async def carry_out(task: Round) -> Result:
    """Open the connections, run the round, close them."""
    run = Run(task)
    loop = asyncio.get_running_loop()
    opened: list[Connection] = []
    try:
        for _ in range(task.connections):
            _, connection = await loop.create_connection(lambda: Connection(run), "127.0.0.1", task.port)
            opened.append(connection)
        return await run.measure(opened)
    finally:
        for connection in opened:
            connection.transport.abort()
