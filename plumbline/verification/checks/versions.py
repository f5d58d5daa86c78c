"""Which stack is verified: target, identity, address, settings, and the versions of its servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plumbline.inside import CADDY_VERSION
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import rows

_TIMEOUT_S = 10


def facts_of(target: Target, *, own: bool) -> dict[str, Any]:
    """Return what a report says of a target's stack. `own`: it was brought up for this run."""
    stack = target.stack()
    return {
        "target": stack.target,
        "stack_id": stack.stack_id,
        "version": stack.version,
        "base_url": stack.public_url or stack.base_url,
        "home": stack.home,
        "own": own,
        "settings": list(stack.settings),
        "versions": {
            "Postgres": _said(lambda: _postgres(stack)),
            "Redis": _said(lambda: _redis(stack)),
            "Caddy": _said(lambda: _caddy(target)),
        },
    }


def _said(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except Exception:  # its checks say why it does not answer
        return "(not known)"


def _postgres(stack: Stack) -> str:
    with rows.connect(stack) as database:
        return str(database.execute("SHOW server_version").fetchall()[0]["server_version"])


def _redis(stack: Stack) -> str:
    with stack.redis.connect(socket_timeout=_TIMEOUT_S, decode_responses=True) as client:
        told: Any = client.info("server")
        return str(told["redis_version"])


def _caddy(target: Target) -> str:
    # The command says "v2.11.7" and, in some builds, a checksum.
    return target.inside().texts[CADDY_VERSION][0].split()[0].removeprefix("v")
