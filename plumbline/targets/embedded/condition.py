"""Problems of a component that its supervisor cannot see: leftover processes, repeated restarts, hangs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from plumbline.stack import Component

WINDOW = timedelta(minutes=5)
ENDS_MAX = 3
"""How often a component may end by itself in that time before it counts as failed."""
SETTLED = timedelta(minutes=1)
"""Age from which a restarted component is taken to be stable."""
ANSWER_S = 3.0


def ends(log: str, name: str, now: datetime) -> list[str]:
    """Return how a program ended by itself recently, from supervisord's log, which uses local time."""
    pattern = rf"^(\S+ [\d:]+),\d+ \w+ exited: {re.escape(name)} \(([^;)]*)"
    found = re.findall(pattern, log, re.MULTILINE)
    return [how for at, how in found if now - datetime.strptime(at, "%Y-%m-%d %H:%M:%S").astimezone() < WINDOW]


def judged(
    component: Component, strays: Iterable[int], ended: list[str], silence: str | None, now: datetime | None = None
) -> Component:
    """Return the component, marked as failed if it has a problem."""
    others = ", ".join(map(str, strays))
    if others:
        words = f"pid {others} is left over from an earlier start, unknown to the supervisor: ./deploy-local.sh ends it"
        return replace(component, state="failed", detail=words)
    now = now or datetime.now(UTC)
    age = now - datetime.fromisoformat(component.since) if component.since else timedelta(0)
    unsettled = component.state == "failed" or (component.state == "running" and age < SETTLED)
    if len(ended) >= ENDS_MAX and unsettled:
        words = (
            f"it ended {len(ended)} times in {WINDOW.seconds // 60} minutes, last by {ended[-1]}: "
            f"./deploy-local.sh logs --component {component.name}"
        )
        return replace(component, state="failed", detail=words)
    if component.state == "running" and silence and (age > SETTLED or "within" in silence):
        words = f"pid {component.pid} hangs: {silence}; it is restarted if this lasts, see logs/watch.log"
        return replace(component, state="failed", detail=words)
    return component
