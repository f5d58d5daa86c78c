"""HTTPS at the front door, with a real Caddy: its own authority, a given certificate, an ACME authority."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import urllib3

from plumbline.errors import PlumblineError
from plumbline.home import State
from plumbline.https import options
from plumbline.https.door import Https, is_public, keep_copies
from plumbline.net import free_port, is_free
from plumbline.verification.throwaway import wait_until

NAME = "chat.example.org"
TIMEOUT_S = 10
_PATIENCE_S = 30
Make = Callable[..., tuple[Path, Path]]
Start = Callable[..., str]


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def backend() -> Iterator[int]:
    """Run a server in the backend's place."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def door(front: Start, backend: int, tmp_path: Path) -> Callable[[Https], tuple[int, Path]]:
    """Start Caddy with this HTTPS; return its port, and the certificate of its own authority."""

    def start(https: Https) -> tuple[int, Path]:
        port = free_port()
        told = {
            **https.caddy_environment(port),
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "PLUMBLINE_FRONT_PORT": str(port),
        }
        front(backend, **told)
        authority = tmp_path / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        wait_until(authority.is_file, "Caddy's own authority", _PATIENCE_S)
        return port, authority

    return start


def get(
    url: str, authority: Path | None, port: int, name: str = "localhost", host: str = ""
) -> urllib3.BaseHTTPResponse:
    """Get a page of `name` at this machine, or over its connection one of `host`; certificates are verified."""
    pool = urllib3.HTTPSConnectionPool(
        "127.0.0.1", port, ca_certs=str(authority) if authority else None, cert_reqs="REQUIRED",
        assert_hostname=name, server_hostname=name, retries=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    with pool:
        return pool.request("GET", url, headers={"Host": host or name})


def ready(url: str, authority: Path, port: int, name: str) -> urllib3.BaseHTTPResponse:
    """Return the first answer: certificates are made after the start."""
    found: list[urllib3.BaseHTTPResponse] = []

    def answers() -> bool:
        try:
            found.append(get(url, authority, port, name))
        except (urllib3.exceptions.SSLError, urllib3.exceptions.ProtocolError):
            return False
        return True

    wait_until(answers, f"a certificate for {name}", _PATIENCE_S)
    return found[0]


def test_localhost_has_a_certificate_of_caddys_own_authority(door: Callable[[Https], tuple[int, Path]]) -> None:
    https = Https("localhost", "own", free_port())
    port, authority = door(https)
    answer = ready("/health", authority, port, "localhost")
    assert (answer.status, answer.data) == (200, b"ok")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert requests.get(f"https://localhost:{port}/health", verify=str(authority), timeout=TIMEOUT_S).text == "ok"
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://localhost:{port}/health", timeout=TIMEOUT_S)
    plain = requests.get(f"http://localhost:{https.http_port}/logs/?a=1", timeout=TIMEOUT_S, allow_redirects=False)
    assert (plain.status_code, plain.headers["Location"]) == (308, f"https://localhost:{port}/logs/?a=1")


def test_a_request_for_another_host_is_refused(door: Callable[[Https], tuple[int, Path]]) -> None:
    port, authority = door(Https("localhost", "own", free_port()))
    ready("/health", authority, port, "localhost")
    for host in ("127.0.0.1:9000", "log-sink:8003", "other.example.org"):
        assert get("/health", authority, port, host=host).status == 421


def test_a_name_that_is_not_public_has_one_too(door: Callable[[Https], tuple[int, Path]]) -> None:
    port, authority = door(Https("chat.lan", "own", free_port()))
    for name in ("chat.lan", "localhost"):
        assert ready("/health", authority, port, name).status == 200


def test_a_given_certificate_is_used_for_its_name(
    door: Callable[[Https], tuple[int, Path]], certificate: Make, tmp_path: Path
) -> None:
    crt, key = certificate(NAME)
    https = keep_copies(Https(NAME, "given", free_port(), str(crt), str(key)), tmp_path / "tls", shared=False)
    crt.unlink()  # the copy is used
    port, authority = door(https)
    assert ready("/health", Path(https.certificate), port, NAME).status == 200
    assert ready("/health", authority, port, "localhost").status == 200
    with pytest.raises(urllib3.exceptions.SSLError):
        get("/health", authority, port, NAME)


@pytest.fixture
def acme(
    certificate: Make, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> Callable[[int, int], tuple[str, Path]]:
    """Start pebble, an ACME authority for tests; return its directory, and the certificate that its server shows."""
    pebble, names = shutil.which("pebble"), shutil.which("pebble-challtestsrv")
    if not pebble or not names:
        pytest.skip("there is no pebble here: go install github.com/letsencrypt/pebble/v2/cmd/...@latest")

    def start(http_port: int, tls_port: int) -> tuple[str, Path]:
        crt, key = certificate("localhost", "-days", "2", file="pebble")
        port, management, dns = free_port(), free_port(), free_port()
        config = tmp_path / "pebble.json"
        config.write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{port}", "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(crt), "privateKey": str(key), "httpPort": http_port, "tlsPort": tls_port,
        }}))  # fmt: skip
        resolver = [
            names, "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dnsserver", f"127.0.0.1:{dns}", "-http01", "",
            "-https01", "", "-tlsalpn01", "", "-doh", "", "-management", f"127.0.0.1:{free_port()}",
        ]  # fmt: skip
        server = [pebble, "-config", str(config), "-dnsserver", f"127.0.0.1:{dns}"]
        for command in (resolver, server):
            with (tmp_path / "acme.log").open("ab") as log:
                environment = {"PATH": os.defpath, "PEBBLE_VA_NOSLEEP": "1"}
                processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

        def listens() -> bool:
            return not any(map(is_free, (port, management, dns)))

        wait_until(listens, "pebble and its resolver", _PATIENCE_S)
        root = tmp_path / "acme-root.pem"
        root.write_text(
            requests.get(f"https://localhost:{management}/roots/0", verify=str(crt), timeout=TIMEOUT_S).text
        )
        return f"https://localhost:{port}/dir", root

    return start


def test_an_acme_authority_certifies_a_public_name(
    front: Start, backend: int, acme: Callable[[int, int], tuple[str, Path]], tmp_path: Path
) -> None:
    port, http_port = free_port(), free_port()
    directory, root = acme(http_port, port)
    https = Https(NAME, "acme", http_port, acme_ca=directory, acme_root=str(tmp_path / "pebble.crt"))
    assert https.problems() == []
    front(
        backend, **https.caddy_environment(port), XDG_DATA_HOME=str(tmp_path / "data"), PLUMBLINE_FRONT_PORT=str(port)
    )
    answer = ready("/health", root, port, NAME)
    assert answer.status == 200
    assert "Strict-Transport-Security" in answer.headers


def asked(*words: str, state: State | None = None) -> Https | None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    options.add(parser)
    return options.wanted(parser.parse_args(words), state or State())


@pytest.mark.parametrize(
    ("name", "public"),
    [("chat.example.org", True), ("localhost", False), ("chat", False), ("chat.local", False), ("10.0.0.5", False),
     ("chat.internal", False), ("a.localhost", False)],
)  # fmt: skip
def test_public_names_are_certified_by_a_public_authority(name: str, public: bool) -> None:
    found = asked("--domain", name)
    assert found is not None
    assert is_public(name) is public
    assert found.issuer == ("acme" if public else "own")


def test_without_a_domain_the_stack_keeps_what_it_has() -> None:
    https = Https(NAME, "own", 80)
    assert asked() is None
    assert asked(state=State(https=https.as_state())) == https
    assert asked("--domain", "none", state=State(https=https.as_state())) is None


def test_ports_are_443_and_80_or_chosen() -> None:
    found = asked("--domain", NAME)
    assert found is not None
    assert found.http_port == 80
    assert found.public_url(443) == f"https://{NAME}"
    assert found.public_url(8443) == f"https://{NAME}:8443"
    assert options.port(argparse.Namespace(port=None), State(), found) == 443
    chosen = asked("--domain", NAME, "--port", "8443", "--http-port", "8081")
    assert chosen is not None
    assert chosen.http_port == 8081


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--certificate", "a"), "--certificate needs --domain"),
        (("--domain", NAME, "--key", "a"), "a certificate needs its key"),
        (("--domain", "localhost", "--acme-ca", "https://a"), "localhost always has a certificate"),
    ],
)
def test_options_that_contradict_are_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(PlumblineError, match=said) as caught:
        asked(*words)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["https://chat.example.org", "a b", "chat_.org", "-a.org", "chat.example.org/x", ""])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert "is not the name of a machine" in "".join(Https(name, "own", 80).problems())
