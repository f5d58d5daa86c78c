"""Environment variables that would change our libraries and programs are removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import psycopg
import pytest

from plumbline import ROOT, environment

_KEPT = {
    "DOCKER_HOST": "unix:///x", "DOCKER_CONTEXT": "x", "DOCKER_CONFIG": "/x", "KUBECONFIG": "/x", "HTTPS_PROXY": "x",
    "PIP_INDEX_URL": "x", "SSL_CERT_FILE": "/x", "PLUMBLINE_KUBECTL": "x",
    "PLUMBLINE_REQUIRE_ENGINE": "1", "PLUMBLINE_POSTGRES_IMAGE": "x", "PLUMBLINE_KUBERNETES_CONTEXT": "x",
    "HOME": "/x", "LANG": "C",
}  # fmt: skip
_PROBE = """
import json, sys
from pathlib import Path
from plumbline.stack import PostgresAddress
from plumbline.targets.embedded.accounts import Account
from plumbline.targets.embedded.postgres import Cluster
port, password = json.loads(sys.stdin.read())
print(Cluster(Path(), Path(), Account(), port).probe(password))
"""


@pytest.mark.parametrize(
    "name", sorted(option.envvar.decode() for option in psycopg.pq.Conninfo.get_defaults() if option.envvar)
)
def test_every_variable_of_libpq_is_removed(name):
    given = {name: "x"}
    environment.clean(given)
    assert name not in given


@pytest.mark.parametrize(
    "name",
    ["PGSERVICEFILE", "PGSYSCONFDIR", "PGTZ", "PGDATA", "PSYCOPG_IMPL", "DJANGO_SETTINGS_MODULE", "GRANIAN_PORT",
     "PYTHONPATH", "PYTHONWARNINGS", "COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES",
     "DOCKER_DEFAULT_PLATFORM", "DOCKER_BUILDKIT", "BUILDX_BUILDER", "BUILDKIT_HOST", "GIT_DIR", "GIT_WORK_TREE"],
)  # fmt: skip
def test_variables_of_other_programs_are_removed(name):
    given = {name: "x"}
    environment.clean(given)
    assert name not in given


def test_documented_variables_are_kept():
    given = {**_KEPT, "PATH": "/bin"}
    environment.clean(given)
    assert given.items() >= _KEPT.items()


def test_drop_settings_removes_settings_of_services():
    meant = {name: value for name, value in _KEPT.items() if name.startswith("PLUMBLINE_")}
    given = {**meant, "PLUMBLINE_PORT": "70000", "PLUMBLINE_LOG_LEVEL": "nonsense", "PLUMBLINE_BACKEND_WORKERS": "0"}
    environment.drop_settings(given)
    assert given == meant


@pytest.mark.parametrize("path", [".:/a:/b", "/a::/b", "/a:/b:", "bin:/a:../x:/b"])
def test_relative_folders_of_path_are_removed(path):
    given = {"PATH": path}
    environment.clean(given)
    assert given["PATH"] == "/a:/b"


@pytest.mark.parametrize(
    ("before", "after"), [({}, ""), ({"no_proxy": "x.org"}, "x.org,"), ({"NO_PROXY": "x.org"}, "x.org,")]
)
def test_proxies_are_bypassed_for_loopback(before, after):
    given = {**before, "http_proxy": "http://127.0.0.1:9"}
    environment.clean(given)
    assert given["no_proxy"] == given["NO_PROXY"] == f"{after}127.0.0.1,localhost,::1"
    assert given["http_proxy"] == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    "shell",
    [{"PGSSLMODE": "require"}, {"PGSERVICE": "elsewhere"}, {"PGHOSTADDR": "127.0.0.9"}, {"PGREQUIREAUTH": "none"},
     {"PGTARGETSESSIONATTRS": "standby"}, {"PGOPTIONS": "-c nonsense=1"}, {"PSYCOPG_IMPL": "nonsense"}],
)  # fmt: skip
def test_postgres_is_reached_despite_variables_of_libpq(postgres_server, shell):
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], env={**os.environ, **shell}, cwd=ROOT, timeout=60,
        input=json.dumps([postgres_server.port, postgres_server.password]), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "None\n", done.stderr
