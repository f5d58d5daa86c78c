"""Each check sees what it is there for: a manifest is broken in one place, and the check names it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.targets.kubernetes.model import Manifests
from plumbline.verification.manifests import checks, compose, references, variants
from plumbline.verification.manifests.checks import CHECKS

from . import breaks
from .breaks.parts import data, main, policy

Spoil = Callable[[Manifests], object]

BREAKS = list(breaks.all_of(breaks.BREAKS))
CLUSTER_BREAKS = list(breaks.all_of(breaks.BREAKS_OF_A_CLUSTER))


@pytest.mark.parametrize(("check", "says", "spoil"), BREAKS, ids=[f"{one[0]}-{one[1]}" for one in BREAKS])
def test_a_break_is_seen(production: Manifests, check: str, says: str, spoil: Spoil) -> None:
    spoil(production)
    found = checks.found(check, production)
    assert any(says in problem for problem in found), found


@pytest.mark.parametrize(
    ("check", "says", "spoil"), CLUSTER_BREAKS, ids=[f"{one[0]}-{one[1]}" for one in CLUSTER_BREAKS]
)
def test_a_break_is_seen_where_an_operator_runs_postgres(check: str, says: str, spoil: Spoil) -> None:
    manifests = Manifests(variants.documents(variants.Variant("production", ("cloudnative-pg",))))
    spoil(manifests)
    found = checks.found(check, manifests)
    assert any(says in problem for problem in found), found


def test_another_port_of_a_postgres_from_elsewhere_needs_another_arrow() -> None:
    manifests = Manifests(variants.documents(variants.Variant("production", ("external-postgres",))))
    data(manifests, "services").update(PLUMBLINE_POSTGRES_PORT="6432")
    assert "the policies stop backend -> anywhere:6432/TCP" in checks.found("network", manifests)
    policy(manifests, "external-postgres")["egress"][0]["ports"][0].update(port=6432)
    assert checks.found("network", manifests) == []


def test_what_cannot_be_checked_is_a_finding_and_does_not_stop_the_others(production: Manifests) -> None:
    main(production, "backend").pop("resources")
    found = checks.problems(production)
    assert any(
        one.startswith("quantities: deployment/backend backend cpu in requests: None is no quantity") for one in found
    )
    assert any(one.startswith("compose: something that it reads is missing") and "'resources'" in one for one in found)


def test_every_check_is_broken_here() -> None:
    assert {one[0] for one in BREAKS} == set(CHECKS)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("docker/compose.yaml", "PLUMBLINE_STACK_ID: $", "PLUMBLINE_HOST: 0.0.0.0 # $"),
        ("k8s/base/services.env", "PLUMBLINE_POOL_SIZE=4", "PLUMBLINE_POSTGRES_HOST=postgres"),
        ("k8s/base/kustomization.yaml", "PLUMBLINE_STACK_ID=by-hand", "PLUMBLINE_HOST=0.0.0.0"),
    ],
)
def test_a_default_that_is_written_twice_is_seen(tmp_path: Path, file: str, before: str, after: str) -> None:
    for folder in ("docker", "k8s"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("secrets"))
    assert list(compose.repetitions(tmp_path)) == []
    place = tmp_path / file
    text = place.read_text()
    assert before in text
    place.write_text(text.replace(before, after))
    assert [one.partition(":")[0] for one in compose.repetitions(tmp_path)][:1] == [file]


@pytest.mark.parametrize(
    ("file", "before", "after", "says"),
    [
        ("overlays/local/secrets/kustomization.yaml", "literals: [", "literals: [a=b, ", "from files alone"),
        (
            "components/cloudnative-pg/secret-postgres-owner.yaml",
            "  username:",
            "  password: x\n  username:",
            "holds a",
        ),
        ("base/namespace.yaml", "apiVersion: v1", "kind: Secret\ndata: {key: eA==}\n---\napiVersion: v1", "holds a"),
    ],
)
def test_a_secret_in_a_file_of_ours_is_seen(tmp_path: Path, file: str, before: str, after: str, says: str) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    assert list(references.literal_secrets(tmp_path)) == []
    place = tmp_path / "k8s" / file
    text = place.read_text()
    assert before in text
    place.write_text(text.replace(before, after, 1))
    (found,) = references.literal_secrets(tmp_path)
    assert says in found
    assert found.startswith(f"k8s/{file}")


def test_ports_by_name_are_refused(production: Manifests) -> None:
    policy(production, "redis")["ingress"][0]["ports"][0]["port"] = "redis"
    assert any("use the number" in one for one in checks.found("network", production))
