"""Loaded into the suite of a release whose /health takes a schema that is newer than its own for a fault.

Such a service goes on serving, and its liveness path answers. Here its /health counts as ready, so that the suite
begins. The health check of its container asks /health, too.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from plumbline import identity
from plumbline.targets.compose import containers

_DIFFERS = re.compile(r"the (?:database )?schema is at (?P<found>\w+), (?:this release needs )?(?P<needed>\w+)")
_CONTAINER_DIFFERS = re.compile("the (?:database )?schema ")
"""What is left of the reason: the words of a health check are cut."""
_health_of, _read, _unready = identity.health_of, containers._read, containers._unready


def _tolerant(url: str, timeout_s: float | None = None) -> identity.Health:
    health = _health_of(url, timeout_s)
    differs = _DIFFERS.match(health.reason or "")
    return replace(health, reason=None) if differs and differs["found"] > differs["needed"] else health


def _without_verdict(raw: dict[str, Any]) -> containers.Container:
    container = _read(raw)
    differs = container.health == "unhealthy" and _CONTAINER_DIFFERS.search(container.health_words)
    return replace(container, health="healthy") if differs else container


def _unready_for_another_reason(container: containers.Container, first: containers.Container) -> str | None:
    reason = _unready(container, first)
    return None if reason and _CONTAINER_DIFFERS.search(reason) else reason


identity.health_of = _tolerant
containers._read = _without_verdict
containers._unready = _unready_for_another_reason
