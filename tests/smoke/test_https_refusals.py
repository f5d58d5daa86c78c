"""HTTPS that cannot be served is refused in one sentence with a way out, and what ran goes on running.

Protects from a deployment that is stopped by a wrong certificate.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plumbline import net
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import certificates, commands
from plumbline.verification.checks.client import User

# Each would change the stack if it were not refused.
pytestmark = pytest.mark.disrupt

NAME = "chat.example.org"


@pytest.fixture
def taken_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


def ports(https: str = "", http: str = "") -> list[str]:
    return ["--port", https or str(net.free_port()), "--http-port", http or str(net.free_port())]


def given(pair: tuple[Path, Path]) -> list[str]:
    return ["--domain", NAME, "--certificate", str(pair[0]), "--key", str(pair[1]), *ports()]


def expired(folder: Path, _taken: str) -> list[str]:
    pair = certificates.make(folder, NAME)
    certificates.expire(*pair)
    return given(pair)


def key_of_another(folder: Path, _taken: str) -> list[str]:
    return given((certificates.make(folder, NAME)[0], certificates.make(folder, NAME, file="two")[1]))


def of_another_name(folder: Path, _taken: str) -> list[str]:
    return given(certificates.make(folder, "other.example.org"))


def authority_away(_folder: Path, _taken: str) -> list[str]:
    return ["--domain", NAME, "--acme-ca", f"https://localhost:{net.free_port()}/dir", *ports()]


def https_port_taken(_folder: Path, taken: str) -> list[str]:
    return ["--domain", "chat.lan", *ports(https=taken)]


def http_port_taken(_folder: Path, taken: str) -> list[str]:
    return ["--domain", "chat.lan", *ports(http=taken)]


REFUSED: dict[str, tuple[Callable[[Path, str], list[str]], str]] = {
    "an expired certificate": (expired, "has expired: renew it"),
    "the key of another certificate": (key_of_another, "does not belong to the certificate"),
    "a certificate of another name": (of_another_name, f"is not for {NAME}: name one that is"),
    "an ACME authority that is away": (authority_away, "does not answer (ConnectionError): check --acme-ca"),
    "a taken port for HTTPS": (https_port_taken, "choose another with --port"),
    "a taken port for HTTP": (http_port_taken, "choose another with --http-port"),
}
"""Options of `up`, and what it says of them."""


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_served_changes_nothing(
    target: Target, stack: Stack, alice: User, tmp_path: Path, taken_port: str, what: str
) -> None:
    options, said = REFUSED[what]
    home = commands.home_of(stack)
    state = Path(home) / "state.json"
    before = state.read_bytes()
    done = commands.run("up", "--home", home, *options(tmp_path, taken_port))
    assert done.returncode == 1, f"`up` with {what} ended with {done.returncode}: {done.stdout}{done.stderr}"
    lines = " ".join(done.stderr.split())  # as wide as a terminal
    assert done.stderr.count("\n  - ") == 1, f"`up` with {what} names more than one problem: {done.stderr}"
    assert said in lines, f"`up` with {what} says: {lines}"
    assert "Nothing was changed" in lines
    assert state.read_bytes() == before, f"`up` with {what} was refused, and changed {state}"
    assert {one.name: one.pid for one in target.stack().components} == {one.name: one.pid for one in stack.components}
    alice.get("/auth/me").expect(200)
