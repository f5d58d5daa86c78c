"""What the check of quantities sees."""

from __future__ import annotations

from .parts import Break, doc, main, pod

BREAKS: list[Break] = [
    ("is no quantity", lambda m: main(m, "caddy")["resources"]["limits"].update(memory="256MiB")),
    ("only one of request and limit", lambda m: main(m, "caddy")["resources"]["limits"].pop("cpu")),
    ("requests more memory", lambda m: main(m, "caddy")["resources"]["requests"].update(memory="1Gi")),
    ("volume tmp", lambda m: pod(m, "backend")["volumes"][1].update(emptyDir={})),
    (
        "claim",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"]["volumeClaimTemplates"][0]["spec"]["resources"][
            "requests"
        ].update(storage="50 GB"),
    ),
    (
        "volumes in memory may take most",
        lambda m: pod(m, "postgres")["volumes"][3]["emptyDir"].update(sizeLimit="1Gi"),
    ),
]
