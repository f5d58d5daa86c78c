"""What the check of schemas sees."""

from __future__ import annotations

from .parts import Break, doc

BREAKS: list[Break] = [
    ("replicsa", lambda m: doc(m, "Deployment", "caddy")["spec"].update(replicsa=2)),
    ("1.37", lambda m: doc(m, "Deployment", "caddy").update(apiVersion="extensions/v1beta1")),
    ("spec.replicas", lambda m: doc(m, "Deployment", "caddy")["spec"].update(replicas="two")),
]
