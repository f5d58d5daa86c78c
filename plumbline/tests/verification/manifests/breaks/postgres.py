"""What the check of postgres sees."""

from __future__ import annotations

from servicekit.facts import POSTGRES_MAJOR

from .parts import Break, cluster, data, doc, pod

BREAKS: list[Break] = [
    (
        "no replicas of each other",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"].update(replicas=2),
    ),
    (
        "does not replace a stuck pod",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"].pop("podManagementPolicy"),
    ),
    (
        "does not start a second time",
        lambda m: pod(m, "postgres")["securityContext"].pop("fsGroupChangePolicy"),
    ),
]

BREAKS_OF_A_CLUSTER: list[Break] = [
    ("someone owns app_db", lambda m: cluster(m)["bootstrap"]["initdb"].update(owner="someone")),
    ("owns other", lambda m: cluster(m)["bootstrap"]["initdb"].update(database="other")),
    (
        f"is not Postgres {POSTGRES_MAJOR}",
        lambda m: cluster(m).update(imageName="ghcr.io/cloudnative-pg/postgresql:17"),
    ),
    ("is no quantity", lambda m: cluster(m).update(storage={"size": "50GB"})),
    ("basic-auth", lambda m: doc(m, "Secret", "postgres-owner").update(type="Opaque")),
    (
        "the secret is of other",
        lambda m: doc(m, "Secret", "postgres-owner")["stringData"].update(username="other"),
    ),
    (
        "another password than the services use",
        lambda m: doc(m, "Secret", "postgres-owner")["data"].update(password="b3RoZXI="),
    ),
    ("does not write", lambda m: data(m, "services").update(PLUMBLINE_POSTGRES_HOST="postgres-r")),
]
