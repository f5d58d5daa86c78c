"""Batch jobs, and waiting for their end."""

from __future__ import annotations

from typing import Any

from plumbline.verification.checks.client import User
from plumbline.verification.throwaway import wait_for_value

JOBS = "/data-processor/batch/"
JOB_S = 60.0
"""How long a job may make no progress. On a busy machine a worker that was killed takes a while to be replaced."""
ENDED = ("done", "failed", "cancelled")


def wait_ended(user: User, job: int) -> dict[str, Any]:
    """Wait until a job has ended; return it."""

    def read() -> dict[str, Any]:
        found: dict[str, Any] = user.get(f"{JOBS}{job}/").expect(200)
        return found

    return wait_for_value(read, lambda found: found["status"] in ENDED, f"job {job} to end", JOB_S)


def items(user: User, job: int) -> list[dict[str, Any]]:
    """Return all items of a job, from all pages."""
    found: list[dict[str, Any]] = []
    parameters: dict[str, Any] = {}
    while True:
        page = user.get(f"{JOBS}{job}/items/", **parameters).expect(200)
        found += page["items"]
        if page["next"] is None:
            return found
        parameters = {"after": page["next"]}
