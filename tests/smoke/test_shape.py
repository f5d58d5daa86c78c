"""What was deployed has the declared shape: its sockets, processes, accounts and identity.

Protects from processes, ports and accounts that were not declared.
"""

from __future__ import annotations

from plumbline.inside import Inside
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import asked, findings, generated, processes, supervision

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
    """Protects from a service that is taken over, and then has the whole machine."""
    found = processes.accounts(inside)
    findings.require_none(found, about="processes of the stack have more rights than declared", then=THEN)


def test_every_process_belongs_to_this_deployment_without_a_debug_mode(inside: Inside, stack: Stack) -> None:
    found = processes.environments(inside, stack.stack_id, asked.settings(stack))
    findings.require_none(
        found, about="processes of the stack were started with another environment than declared", then=THEN
    )


def test_each_deployment_gets_an_identity_of_its_own(stack: Stack, inside: Inside) -> None:
    found = generated.same_identity(stack.stack_id, generated.by(generated.program_of(inside)))
    findings.require_none(
        found, about="an old process could pass for one of a new deployment", then="plumbline/targets/in_a_home.py"
    )


def test_the_supervisor_restarts_stops_and_protects_as_declared(stack: Stack, inside: Inside) -> None:
    found = supervision.read(asked.home_of(stack))
    findings.require_none(
        [*supervision.differences(found), *supervision.umasks(inside)],
        about="the supervisor runs the stack otherwise than declared",
        then="plumbline/targets/embedded/supervisor.py, then ./deploy-local.sh",
    )
