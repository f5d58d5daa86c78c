"""What was deployed has the declared shape: its sockets, processes, accounts and identity."""

from __future__ import annotations

from pathlib import Path

from plumbline.home import Home
from plumbline.inside import Inside
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.targets.in_a_home import TargetInAHome
from plumbline.verification.checks import asked, findings, processes

THEN = "./deploy-local.sh doctor, then ./deploy-local.sh"


def test_components_listen_only_on_declared_sockets(inside: Inside, stack: Stack) -> None:
    found = processes.sockets(inside, asked.settings(stack))
    findings.require_none(
        [*found, *processes.paths(inside, asked.home_of(stack))],
        about="the stack listens on other sockets than declared",
        then=THEN,
    )


def test_only_the_declared_processes_run(target: Target, inside: Inside, stack: Stack) -> None:
    settings = asked.settings(stack)
    if [*processes.numbers(inside, settings)]:  # a process may be just starting another, or be started again itself
        findings.require_none_soon(
            lambda: processes.numbers(target.inside(), settings),
            15,
            about="other processes run than declared",
            then=THEN,
        )


def test_processes_run_without_privileges(inside: Inside) -> None:
    found = processes.accounts(inside)
    findings.require_none(found, about="processes of the stack have more rights than declared", then=THEN)


def test_every_process_belongs_to_this_deployment_without_a_debug_mode(inside: Inside, stack: Stack) -> None:
    found = processes.environments(inside, stack.stack_id, asked.settings(stack))
    findings.require_none(
        found, about="processes of the stack were started with another environment than declared", then=THEN
    )


class Deployment(TargetInAHome):
    """One that starts nothing."""

    name = "none"

    def stack(self) -> Stack:
        raise NotImplementedError

    def _make_images(self) -> str:
        raise NotImplementedError

    def _bring_up(self, *names: str) -> str:
        raise NotImplementedError

    def _migrate(self, name: str) -> str:
        raise NotImplementedError

    def identity(self) -> str:
        self.home.prepare()
        self._begin({}, resume=False)
        return self._state.stack_id


def test_each_deployment_gets_an_identity_of_its_own(stack: Stack, tmp_path: Path) -> None:
    found = [stack.stack_id, *(Deployment(Home(tmp_path / name)).identity() for name in ("one", "another"))]
    assert len({*found}) == 3, f"expected three identities, found {found}: an old process would pass for a new one"
