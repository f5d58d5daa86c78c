"""The process that makes the load."""

from __future__ import annotations

import asyncio
from multiprocessing.connection import Connection as Pipe

import uvloop

from benchmarks.load.process import OwnProcess
from benchmarks.load.round import LoadError, Result, Round
from benchmarks.load.run import Connection, Run


class Generator(OwnProcess):
    """Runs rounds one after another."""

    def __init__(self) -> None:
        super().__init__("load", _serve)

    def run(self, task: Round) -> Result:
        """Carry out a round. Raises LoadError at the first answer that is not correct."""
        return self.ask(task, Result)


def _serve(pipe: Pipe) -> None:
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
