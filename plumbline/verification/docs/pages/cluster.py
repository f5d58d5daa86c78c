"""The table of docs/kubernetes.md: what clients lost when nodes of a real cluster were disturbed, as counted last."""

from __future__ import annotations

from plumbline.verification.cluster import record
from plumbline.verification.cluster.declared import DRILLS
from plumbline.verification.docs.markdown import sentence


def summary() -> str:
    """Return what each drill does, and its figures."""
    kept = record.load()
    rows = {one.name: kept[one.name] for one in DRILLS if one.name in kept}
    lines = [f"- *{one.name}*: {sentence(one.does)}" for one in DRILLS]
    text = "\n".join(["", *lines, "", record.summary(rows), ""])
    if missing := [f"*{one.name}*" for one in DRILLS if one.name not in rows]:
        text += f"Without figures yet: {', '.join(missing)}.\n\n"
    for name, found in record.failed(rows).items():
        text += f"*{name}* has not passed: {'; '.join(found)}.\n\n"
    return text
