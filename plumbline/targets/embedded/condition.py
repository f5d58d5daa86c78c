"""What is wrong with a component that its supervisor takes to be running: leftovers, restarts without end, hangs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from plumbline.stack import Component

WINDOW = timedelta(minutes=5)
ENDS_MAX = 3
"""How often a component may end by itself in that time before its restarts are called what they are."""
SETTLED = timedelta(minutes=1)
"""Age from which a component has got over it."""
ANSWER_S = 3.0


def ends(log: str, name: str, now: datetime) -> list[str]:
    """Return how a program ended by itself lately, from supervisord's own log. Its clock is the local one."""
    pattern = rf"^(\S+ [\d:]+),\d+ \w+ exited: {re.escape(name)} \(([^;)]*)"
    found = re.findall(pattern, log, re.MULTILINE)
    return [how for at, how in found if now - datetime.strptime(at, "%Y-%m-%d %H:%M:%S").astimezone() < WINDOW]


def judged(
    component: Component, strays: Iterable[int], ended: list[str], silence: str | None, now: datetime | None = None
) -> Component:
    """Return the component with what is wrong with it, if anything is."""
    others = ", ".join(map(str, strays))
    if others:
        words = (
            f"its supervisor does not know pid {others}, which an earlier start left behind: ./deploy-local.sh ends it"
        )
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
        words = f"pid {component.pid} hangs: {silence}; what goes on hanging is restarted, see logs/watch.log"
        return replace(component, state="failed", detail=words)
    return component
