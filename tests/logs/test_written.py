"""Services write what they warn of to their own logs, too.

Protects from warnings that are lost with the recorder because no log file has them.
"""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import redis

from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import User
from plumbline.verification.checks.own_logs import lines_about
from plumbline.verification.throwaway import wait_for_value

PATHS = {"backend": "/auth/me", "data-processor": "/data-processor/templates/"}
LINES = 5000


@pytest.mark.parametrize("service", PATHS)
def test_a_fault_is_in_the_log_of_its_service(
    target: Target, stack: Stack, redis_client: redis.Redis, service: str
) -> None:
    def logged() -> list[dict[str, Any]]:
        # After a flood of faults of this kind, a process leaves some out for a second: then another one is sent.
        return lines_about(target, service, recorder.send_bad_token(stack, redis_client, PATHS[service], service))

    about = wait_for_value(logged, bool, f"the {service}'s own log to have a line about a bad token")
    found = (len(about), about[0]["level"], about[0]["service"])
    assert found == (1, "warning", service), f"{service}: its own log has lines, level, service {found} of a bad token"


def test_a_warning_is_in_the_log_of_its_service(
    target: Target, stack: Stack, alice: User, redis_client: redis.Redis
) -> None:
    def logged() -> list[str]:
        # After a flood of warnings, a process leaves some out for a second: then another one is made.
        mark = f"own-log-{secrets.token_hex(6)}"
        recorder.log_warnings(stack, alice, mark)
        recorder.wait_for(redis_client, lambda one: mark in one["message"], f"entry with {mark}")
        return [line for line in target.log_tail("backend", LINES) if mark in line]

    wait_for_value(logged, bool, "the backend's own log to have a line about a warning that it recorded")
