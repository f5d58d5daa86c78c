"""What far more warnings than are kept leave behind: memory, processes that ended, and counts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.interference.chatty_stack import ChattyStack
from plumbline.verification.throwaway import wait_until

_SECONDS = 10.0
_SAMPLE_S = 0.5
_SERVICES = ("backend", "log-sink")


@dataclass(frozen=True, slots=True)
class Flood:
    """What was logged and counted since the stack started; by how many bytes services grew; processes that ended."""

    logged: int
    counts: dict[str, int]
    grown: dict[str, int]
    ended: int


def flood(stack: ChattyStack, warnings: int) -> Flood:
    """Let the backend log for a while, and wait until every warning is counted."""
    processes = {name: stack.processes(name) for name in _SERVICES}
    before = {name: _memory(stack, name) for name in _SERVICES}
    most = dict(before)
    stack.log(warnings)
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        time.sleep(_SAMPLE_S)
        most = {name: max(most[name], _memory(stack, name)) for name in _SERVICES}
    stack.log(0)
    wait_until(lambda: _is_counted(stack), "every warning is counted")
    grown = {name: most[name] - before[name] for name in _SERVICES}
    ended = sum(not process.is_running() for one in processes.values() for process in one)
    return Flood(stack.logged(), stack.counts(), grown, ended)


def _memory(stack: ChattyStack, name: str) -> int:
    return sum(int(process.memory_info().rss) for process in stack.processes(name))


def _is_counted(stack: ChattyStack) -> bool:
    before = stack.logged()
    return stack.counts()["received"] == before == stack.logged()
