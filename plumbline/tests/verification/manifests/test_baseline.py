"""The files that bring up the baseline, beside its row in the table of components."""

from __future__ import annotations

from typing import Any

from dotenv import dotenv_values

from plumbline import ROOT
from plumbline.components import BASELINE, CADDY, COMPONENTS, MIGRATING, PORTS, migration_step
from plumbline.plan import ON_BASELINE
from plumbline.secret_files import readable_by
from plumbline.targets.compose.project import BASELINE_FILE, services_of
from plumbline.targets.kubernetes.model import Manifests
from plumbline.verification.manifests import variants
from plumbline.verification.manifests.variants import Variant

PLACE = f"{BASELINE.name}:{BASELINE.port.number}"
TO_CADDY = {"PLUMBLINE_BACKEND": PLACE, "PLUMBLINE_DATA_PROCESSOR": PLACE}
FOLDER = "/var/lib/plumbline"
OWN = {
    "PLUMBLINE_PORT": str(BASELINE.port.number),
    "PLUMBLINE_FOLDER": FOLDER,
    "PLUMBLINE_LOG_FORWARD_URL": f"http://caddy:{PORTS['internal'].number}/ingest",
}
SERVICES = services_of(ROOT / "docker" / BASELINE_FILE)
BASE = services_of(ROOT / "docker" / "compose.yaml")


def baseline() -> Manifests:
    return Manifests(variants.documents(Variant("baseline")))


def test_compose_starts_the_lineup_and_nothing_else() -> None:
    off = {name for name, one in SERVICES.items() if one.get("profiles")}
    assert off == {*COMPONENTS} - {*ON_BASELINE.components} | {migration_step(name) for name in MIGRATING}
    assert {*BASE, *SERVICES} - off == {*ON_BASELINE.components}


def test_on_compose_the_baseline_is_told_and_hardened_like_the_services() -> None:
    mine, like = SERVICES[BASELINE.name], BASE["log-sink"]
    assert dotenv_values(ROOT / "docker/defaults/baseline/baseline.env") == OWN
    assert mine["env_file"] == ["defaults/stack.env", "defaults/baseline/baseline.env"]
    assert mine["secrets"] == readable_by(BASELINE.secrets)
    files = {f"PLUMBLINE_{name.upper()}_FILE": f"/run/secrets/{name}" for name in BASELINE.secrets}
    assert mine["environment"] == {"PLUMBLINE_STACK_ID": "${PLUMBLINE_STACK_ID:-by-hand}", **files}
    own = {"image", "build", "env_file", "environment", "secrets", "depends_on", "healthcheck", "mem_limit",
           "memswap_limit", "volumes"}  # fmt: skip
    assert {name: mine[name] for name in mine.keys() - own} == {name: like[name] for name in like.keys() - own}
    assert mine["mem_limit"] == mine["memswap_limit"]
    assert mine["volumes"] == [f"baseline-data:{FOLDER}"]
    probe = [str(BASELINE.port.number), BASELINE.health_path]
    assert mine["healthcheck"] == {**like["healthcheck"], "test": [*like["healthcheck"]["test"][:-2], *probe]}
    assert mine["build"]["args"].keys() == like["build"]["args"].keys()
    assert mine["depends_on"] == {name: {"condition": "service_healthy"} for name in BASELINE.needs}


def test_on_compose_caddy_is_told_where_the_baseline_is() -> None:
    assert SERVICES[CADDY.name]["environment"] == TO_CADDY
    assert SERVICES[CADDY.name]["depends_on"].keys() == {"log-sink", BASELINE.name}


def test_a_cluster_runs_the_lineup_and_nothing_else() -> None:
    assert {*baseline().pods()} == {*ON_BASELINE.components}


def test_in_a_cluster_the_baseline_is_told_what_compose_tells_it() -> None:
    manifests = baseline()
    workload = manifests.workload(BASELINE.name)
    told = manifests.environment(workload.main)
    stack = dotenv_values(ROOT / "docker/defaults/stack.env")
    folder = "/run/secrets/plumbline"
    files = {f"PLUMBLINE_{name.upper()}_FILE": f"{folder}/{name}" for name in (*BASELINE.secrets, "redis_password")}
    assert told == {**stack, **OWN, **files, "PLUMBLINE_STACK_ID": "by-hand"}
    secret = next(one["secret"] for one in workload.pod["volumes"] if "secret" in one)
    assert [one["key"] for one in secret["items"]] == readable_by(BASELINE.secrets)
    assert manifests.environment(manifests.workload(CADDY.name).main).items() >= TO_CADDY.items()


def test_in_a_cluster_one_pod_at_a_time_has_the_database() -> None:
    workload = baseline().workload(BASELINE.name)
    spec: dict[str, Any] = workload.document["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    mounts = {one["name"]: one["mountPath"] for one in workload.main.spec["volumeMounts"]}
    assert mounts["data"] == FOLDER
    probes = {
        name: workload.main.spec[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")
    }
    assert probes == {"startup": BASELINE.health_path, "readiness": BASELINE.live_path, "liveness": BASELINE.live_path}
    assert workload.main.spec["ports"] == [{"name": "http", "containerPort": BASELINE.port.number}]
