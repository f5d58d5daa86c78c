"""Regular backups in a cluster: the CronJob follows the stack, and its archives can be fetched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline import baseline, deploy
from plumbline.backups import age
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.targets.kubernetes import backups
from plumbline.targets.kubernetes.target import KubernetesTarget
from plumbline.tests.targets.kubernetes.fake_cluster import FakeCluster

Target = Callable[[], KubernetesTarget]


@pytest.fixture(autouse=True)
def told(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    del cluster  # it comes first, and clears the environment
    monkeypatch.setenv("PLUMBLINE_KUBERNETES_CONTEXT", "docker-desktop")


@pytest.mark.parametrize(
    ("every", "schedule"),
    [("10m", "*/10 * * * *"), ("60m", "0 */1 * * *"), ("6h", "0 */6 * * *"), ("24h", "0 0 * * *"), ("1d", "0 0 * * *")],
)
def test_an_interval_is_a_schedule_of_the_clock(every: str, schedule: str) -> None:
    assert backups.cron(every) == schedule


@pytest.mark.parametrize("every", ["7h", "45m", "90m", "2d"])
def test_an_interval_that_the_clock_cannot_express_is_refused(every: str) -> None:
    with pytest.raises(PlumblineError, match=f"{every} does not divide an hour or a day") as refused:
        backups.cron(every)
    assert "6h" in str(refused.value.hint)


def test_the_cronjob_is_made_changed_and_deleted(cluster: FakeCluster, home: Home, target: Target) -> None:
    deploy.up(home, target(), "asked for")
    for every, keep, schedule in (("6h", 14, "0 */6 * * *"), ("30m", 3, "*/30 * * * *")):
        said = target().schedule_backups(every, keep)
        assert f"makes and verifies a backup every {every}, and keeps {keep} of them" in said
        spec = cluster.workload("CronJob", "backup")["spec"]
        assert spec["schedule"] == schedule
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["containers"][0]["args"] == ["/backups", str(keep)]
        secrets = next(one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one)
        assert f"Secret/{secrets}" in cluster.state["resources"]
    assert {"NetworkPolicy/backup", "PersistentVolumeClaim/backups"} <= set(cluster.state["resources"])
    assert target().unchanged(), "a schedule is no change of the deployment"
    assert "The archives are kept" in target().schedule_backups("never", 14)
    assert "CronJob/backup" not in cluster.state["resources"]
    assert "PersistentVolumeClaim/backups" in cluster.state["resources"]


def test_the_cronjob_rests_while_the_stack_is_down_or_on_the_baseline(
    cluster: FakeCluster, home: Home, target: Target
) -> None:
    deploy.up(home, target(), "asked for")
    target().schedule_backups("6h", 14)
    target().down()
    assert "CronJob/backup" not in cluster.state["resources"]
    deploy.up(home, target(), "asked for")
    assert "CronJob/backup" in cluster.state["resources"]
    baseline.to_baseline(home, target(), snapshot=False)
    assert "CronJob/backup" not in cluster.state["resources"]
    baseline.forward(home, target())
    assert "CronJob/backup" in cluster.state["resources"]


def test_status_knows_when_the_cluster_made_the_newest(cluster: FakeCluster, home: Home, target: Target) -> None:
    deploy.up(home, target(), "asked for")
    target().schedule_backups("6h", 14)
    assert "none is verified" in age.newest(home, target()).line()
    cluster.workload("CronJob", "backup")["status"] = {"lastSuccessfulTime": "2026-01-02T03:04:05Z"}
    newest = age.newest(home, target())
    assert newest.line(datetime(2026, 1, 2, 6, 4, 5, tzinfo=UTC)).endswith(" 3 hours old (in the cluster)")
    assert newest.as_json()["made_at"] == "2026-01-02T03:04:05+00:00"
    cluster.change(away=True)
    assert "is unknown: kubectl get failed" in age.newest(home, target()).line()


def test_the_newest_archive_is_fetched_by_a_pod_that_sees_the_claim_alone(
    cluster: FakeCluster, home: Home, target: Target, tmp_path: Path
) -> None:
    deploy.up(home, target(), "asked for")
    with pytest.raises(PlumblineError, match="no backups are made regularly"):
        target().fetch_backup(tmp_path / "copy")
    target().schedule_backups("6h", 14)
    cluster.claim.mkdir()
    with pytest.raises(PlumblineError, match="there is no archive in the cluster yet"):
        target().fetch_backup(tmp_path / "copy")
    for number in (9, 10, 11):
        (cluster.claim / f"{number:04}-scheduled-20260101T000000Z.plumbline").write_bytes(bytes([number]) * 3)
    assert target().fetch_backup(tmp_path / "copy").startswith("0011-scheduled-")
    assert (tmp_path / "copy").read_bytes() == bytes([11]) * 3
    assert backups.READER not in {one["metadata"]["name"] for one in cluster.state["pods"]}


def test_a_postgres_from_elsewhere_is_backed_up_where_it_runs(
    cluster: FakeCluster, home: Home, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy.up(home, target(), "asked for")
    monkeypatch.setattr(target()._manifests().__class__, "named", lambda *_: None)
    with pytest.raises(PlumblineError, match="Postgres is not part of this stack") as refused:
        target().schedule_backups("6h", 14)
    assert "where it runs" in str(refused.value.hint)
    assert "CronJob/backup" not in cluster.state["resources"]
