"""What was deployed has the declared shape: its sockets, processes, accounts and identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from plumbline.inside import Inside
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import asked, findings, processes

Find = Callable[[Inside], Iterator[str]]


@pytest.fixture(scope="module")
def seen(target: Target) -> Inside:
    return target.inside()


@pytest.fixture
def require(target: Target, seen: Inside) -> Callable[[Find, str], None]:
    """Fail with what is found, if it still is after parts that are just being started have settled."""

    def required(find: Find, about: str) -> None:
        if [*find(seen)]:
            then = "./deploy-local.sh doctor, then ./deploy-local.sh"
            findings.require_none_soon(lambda: find(target.inside()), about=about, then=then)

    return required


def test_components_listen_where_it_is_declared_and_nowhere_else(
    require: Callable[[Find, str], None], stack: Stack
) -> None:
    settings = asked.settings(stack)
    require(lambda inside: processes.sockets(inside, settings), "the stack listens on other sockets than declared")


def test_the_declared_processes_run_and_no_others(require: Callable[[Find, str], None], stack: Stack) -> None:
    settings = asked.settings(stack)
    require(lambda inside: processes.numbers(inside, settings), "other processes run than declared")


def test_processes_run_without_privileges(require: Callable[[Find, str], None]) -> None:
    require(processes.accounts, "processes of the stack have more rights than declared")


def test_every_process_belongs_to_this_deployment_and_none_is_in_a_debug_mode(
    require: Callable[[Find, str], None], stack: Stack
) -> None:
    require(
        lambda inside: processes.environments(inside, stack.stack_id),
        "processes of the stack were started with another environment than declared",
    )
