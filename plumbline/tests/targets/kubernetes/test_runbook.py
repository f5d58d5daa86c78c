"""The runbook on a fake cluster, whose Postgres is real: every shell block of its pages, in order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from plumbline.backups import revisions
from plumbline.components import MIGRATING, SPECS
from plumbline.targets.kubernetes import kustomize
from plumbline.tests import runbook
from plumbline.tests.runbook import Block, Checkout
from plumbline.tests.targets.kubernetes.conftest import answering
from plumbline.tests.targets.kubernetes.fake_cluster import FakeCluster
from plumbline.verification.throwaway import REDIS_PASSWORD, PostgresServer, RedisServer

OVERLAY = "runbook"
TABLES = """
DROP OWNED BY CURRENT_USER CASCADE;
CREATE TABLE alembic_version (version_num text);
CREATE TABLE django_migrations (app text, name text);
CREATE TABLE things AS SELECT i AS id FROM generate_series(1, 100) AS i;
"""


def _overlay(root: Path) -> None:
    """Add an overlay to a checkout whose images are there already, unlike those of the overlay `local`."""
    place = root / "k8s" / "overlays" / OVERLAY
    shutil.copytree(root / "k8s" / "overlays" / "local", place)
    index = place / "kustomization.yaml"
    index.write_text(index.read_text().replace("namespace: plumbline-local", f"namespace: plumbline-{OVERLAY}"))


class Migrations:
    """Does in the database what the Jobs would do: sets the revisions of the release that is checked out."""

    def __init__(self, server: PostgresServer, root: Path) -> None:
        self._server, self._root = server, root

    def __call__(self, job: dict[str, Any]) -> None:
        containers = job["spec"]["template"]["spec"]["containers"]
        if job["metadata"]["name"] == "migrate":
            self._set({name: revisions.known(name, self._root)[-1] for name in MIGRATING})
        else:
            name = next(one for one in MIGRATING if f"plumbline/{one}:" in containers[0]["image"])
            self._set({name: containers[0]["args"][-1]})

    def _set(self, wanted: dict[str, str]) -> None:
        with psycopg.connect(self._server.conninfo) as connection:
            for name, revision in wanted.items():
                if SPECS[name].package == "backend":
                    connection.execute("DELETE FROM alembic_version")
                    connection.execute("INSERT INTO alembic_version VALUES (%s)", (revision,))
                else:
                    connection.execute("DELETE FROM django_migrations")
                    connection.execute("INSERT INTO django_migrations VALUES ('data_processor', %s)", (revision,))


@pytest.fixture(scope="module")
def checkout(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, redis_server: RedisServer
) -> Iterator[Checkout]:
    render = kustomize.tool()
    if render is None:
        pytest.skip(kustomize.NO_TOOL)
    folder = tmp_path_factory.mktemp("cluster")
    cluster = FakeCluster(folder, render)
    cluster.claim.mkdir()
    root = tmp_path_factory.mktemp("checkout")
    cluster.on_job = Migrations(postgres_server, root)
    with psycopg.connect(postgres_server.conninfo) as connection:
        connection.execute(TABLES)
    secrets = root / ".plumbline" / "secrets"
    secrets.mkdir(parents=True, mode=0o700)
    for name, value in (("postgres_password", postgres_server.password), ("redis_password", REDIS_PASSWORD)):
        (secrets / name).write_text(value)
        (secrets / name).chmod(0o600)
    environment = {
        "PLUMBLINE_KUBECTL": str(cluster.program),
        "PLUMBLINE_KUBERNETES_CONTEXT": "kind-test",
        "PLUMBLINE_KUBERNETES_OVERLAY": OVERLAY,
    }
    with answering(cluster) as front, cluster.using(postgres_server):
        redis = urlsplit(redis_server.url).port
        cluster.change(behind={"front": front, "postgres": postgres_server.port, "redis": redis})
        for found in runbook.checkout(root, "kubernetes", prepare=_overlay, **environment):
            made = found.deploy_local("backup", "--directory", str(cluster.claim))
            assert made.returncode == 0, made.stderr
            yield found
    with psycopg.connect(postgres_server.conninfo) as connection:
        connection.execute("DROP OWNED BY CURRENT_USER CASCADE")
    cluster.close()


@pytest.mark.parametrize("block", runbook.runbook("kubernetes"))
def test_a_block_of_the_runbook(checkout: Checkout, block: Block) -> None:
    checkout.run(block)
