"""What the check of quantities sees."""

from __future__ import annotations

from .parts import Break, doc, main, pod

BREAKS: list[Break] = [
    ("'256MiB' is no quantity above 0", lambda m: main(m, "caddy")["resources"]["limits"].update(memory="256MiB")),
    ("cpu in limits: None is no quantity", lambda m: main(m, "caddy")["resources"]["limits"].pop("cpu")),
    ("requests more memory", lambda m: main(m, "caddy")["resources"]["requests"].update(memory="1Gi")),
    ("volume tmp", lambda m: pod(m, "backend")["volumes"][1].update(emptyDir={})),
    (
        "claim",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"]["volumeClaimTemplates"][0]["spec"]["resources"][
            "requests"
        ].update(storage="50 GB"),
    ),
    (
        "volumes in memory may take more than half",
        lambda m: pod(m, "postgres")["volumes"][3]["emptyDir"].update(sizeLimit="1Gi"),
    ),
    (
        "PersistentVolumeClaim backups storage: None is no quantity",
        lambda m: doc(m, "PersistentVolumeClaim", "backups")["spec"]["resources"]["requests"].pop("storage"),
    ),
]
