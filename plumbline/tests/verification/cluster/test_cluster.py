"""The parts of `nox -s cluster` that need no cluster."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from plumbline.verification.cluster import binaries, network, record
from plumbline.verification.cluster.certificates import Authority
from plumbline.verification.cluster.declared import DRILLS
from plumbline.verification.docs.pages import cluster
from plumbline.verification.drills.judge import judge
from plumbline.verification.drills.seen import Heard, Ledger, Seen

ROW = asdict(judge(Seen(Ledger(), [Heard(1, resumes=True), Heard(1, resumes=False)], []), writes_min=0))


def test_without_root_or_programs_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(binaries, "PACKAGES", {"no-such-program": "its-package"})
    root, packages = binaries.missing()
    assert "run it as root" in root
    assert "its-package" in packages


def test_its_network_overlaps_no_route_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = [{"dst": "default"}, {"dst": "172.30.64.0/23"}, {"dst": "172.30.66.7"}, {"dst": "fe80::/64"}]
    done = subprocess.CompletedProcess([], 0, json.dumps(routes))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert network.free_subnet() == ipaddress.ip_network("172.30.67.0/24")


def test_each_node_has_addresses_of_its_own_for_pods() -> None:
    pods = [ipaddress.ip_network(network.pods_of(number)) for number in (1, 2, 3)]
    assert len(set(pods)) == 3
    assert all(one.subnet_of(ipaddress.ip_network(network.PODS)) for one in pods)  # type: ignore[arg-type]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_a_kubelet_is_known_by_its_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("node1-server", "node1", addresses=["node1", "172.30.64.11"])
    verify = [
        "openssl",
        "verify",
        "-CAfile",
        str(authority.certificate),
        "-verify_ip",
        "172.30.64.11",
        str(certificate),
    ]
    assert subprocess.run(verify, capture_output=True, check=False).returncode == 0
    assert key.stat().st_mode & 0o077 == 0


def test_the_page_shows_what_failed_and_what_was_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "drills.json"
    record.keep({"drain": ROW}, path)
    record.keep({"lose a node": {**ROW, "lost": 1, "findings": ["lost: message 3"]}}, path)
    kept = record.load(path)
    monkeypatch.setattr(record, "load", lambda: kept)
    page = cluster.summary()
    assert "| drain | 0 | 0 | 0.0 s | 0 | 0 | 0 | 0 of 2 |" in page
    assert "*lose a node* has not passed: lost: message 3." in page
    assert "Without figures yet: " in page
    assert "*good release*" in page


def test_recorded_drills_are_declared() -> None:
    assert set(record.load()) <= {one.name for one in DRILLS}
