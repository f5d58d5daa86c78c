"""A fake cluster, with a real Postgres and Redis behind its port-forwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from plumbline.home import Home
from plumbline.targets.kubernetes import images, kustomize
from plumbline.targets.kubernetes.target import KubernetesTarget
from plumbline.tests.targets.kubernetes.fake_cluster import FakeCluster
from plumbline.verification.throwaway import REDIS_PASSWORD, PostgresServer, RedisServer


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    render = kustomize.tool()
    if render is None:
        pytest.skip(kustomize.NO_TOOL)
    folder = tmp_path / "cluster"
    folder.mkdir()
    fake = FakeCluster(folder, render)
    monkeypatch.setenv("PLUMBLINE_KUBECTL", str(fake.program))
    for name in ("CONTEXT", "OVERLAY"):
        monkeypatch.delenv(f"PLUMBLINE_KUBERNETES_{name}", raising=False)
    yield fake
    fake.close()


@pytest.fixture
def told(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let targets use a context by its name."""
    del cluster  # it comes first, and clears the environment
    monkeypatch.setenv("PLUMBLINE_KUBERNETES_CONTEXT", "docker-desktop")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def front(cluster: FakeCluster) -> Iterator[int]:
    with answering(cluster) as port:
        yield port


@contextmanager
def answering(cluster: FakeCluster) -> Iterator[int]:
    """Answer for all three services, as the deployment that the cluster's ConfigMap names; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            maps = [one for key, one in cluster.state["resources"].items() if key.startswith("ConfigMap/stack-")]
            here = "baseline" if "Deployment/baseline" in cluster.state["resources"] else "backend"
            services = {"/health": here, "/data-processor/health": "data-processor"}
            body = {"service": services.get(self.path, "log-sink"), "stack_id": maps[-1]["data"]["PLUMBLINE_STACK_ID"]}
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def target(
    cluster: FakeCluster, home: Home, front: int, postgres_server: PostgresServer, redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[], KubernetesTarget]]:  # fmt: skip
    """Makes targets of one home, as one command after another would. Other tests cover the images."""
    monkeypatch.setattr(images, "provide", lambda recipe: "loaded")
    monkeypatch.setattr("plumbline.targets.compose.engine.problems", lambda: iter(()))
    monkeypatch.setattr(images, "remove", lambda recipe: None)
    redis_port = urlsplit(redis_server.url).port
    cluster.change(behind={"front": front, "postgres": postgres_server.port, "redis": redis_port})
    home.prepare()
    for name, value in (("postgres_password", postgres_server.password), ("redis_password", REDIS_PASSWORD)):
        (home.secrets / name).write_text(value)
        (home.secrets / name).chmod(0o600)
    try:
        yield lambda: KubernetesTarget(home, 0)
    finally:
        cluster.change(away=False)
        if home.exists:
            KubernetesTarget(home).remove()
