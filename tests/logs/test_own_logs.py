"""No component writes a secret of a request to its own log.

Protects from passwords, tokens and cookies in log files.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import redis
import requests

from plumbline.errors import NotGivenError
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import TIMEOUT_S, User

SECRET = "hunter2Qk"
LINES = 5000
HEADERS = (
    "Authorization: Bearer {}", "Authorization: Basic {}", "Proxy-Authorization: Basic {}", "X-Api-Key: {}",
    "Cookie: access_token={}; theme=dark", "Cookie: theme={}", "Referer: http://x/?token={}",
    "Referer: http://ada:{}@x/", "Sec-WebSocket-Protocol: bearer, {}", "X-Forwarded-For: {}", "X-Request-Id: {}",
    "User-Agent: password={}", "Origin: http://ada:{}@evil.example", "Origin: http://evil.example/?token={}",
    "X-CSRFToken: {}", "Host: ada:{}@x",
)  # fmt: skip
TARGETS = (
    "/auth/me?token={}", "/channels/?{}", "/channels/?a=1&page={}", "/ws/1?access_token={}", "/nowhere?password={}",
    "/data-processor/templates/?api_key={}", "/data-processor/nowhere?x=%22{}%22", "/logs/entries?q={}",
    "/logs/health?session={}", "http://ada:{}@front/auth/me", "http://ada:{}@front/nowhere?x=1", "/auth/me#{}",
)  # fmt: skip
# The user name is too short to be registered.
BODIES = (
    '{{"username": "ad", "password": "{}"}}', '{{"username": "ad", "password": "{}', "username=ad&password={}",
    '{{"password": ["{}"]}}', '{{"username": {{"password": "{}"}}}}',
)  # fmt: skip
SIDE_BY_SIDE = 16


def call(stack: Stack, method: str, target: str, header: str = "", body: str = "") -> None:
    """Send a request without normalising it; ignore the answer."""
    front = urlsplit(stack.base_url)
    if front.scheme != "http":
        raise NotGivenError("sends raw requests, which needs a front door without TLS")
    lines = [f"{method} {target} HTTP/1.1", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [header] if header else []
    lines += [] if header.startswith("Host:") else [f"Host: {front.netloc}"]
    with socket.create_connection((front.hostname, front.port or 80), 10) as connection:
        connection.sendall("\r\n".join([*lines, "", body]).encode())
        while connection.recv(65536):
            pass


def test_no_log_has_a_secret_of_a_request(target: Target, stack: Stack, alice: User, redis_client: redis.Redis) -> None:
    places: dict[str, str] = {}

    def secret_at(place: str) -> str:
        secret = f"{SECRET}{len(places):03}Zx"
        places[secret] = place
        return place.format(secret)

    calls = [
        ("GET", path, secret_at(header), "")
        for path in ("/auth/me", "/data-processor/templates/", "/logs/entries", "/nowhere")
        for header in HEADERS
    ]
    own = f"Cookie: access_token={alice.token}"
    for header in HEADERS[-4:]:
        for path in ("/channels/", "/data-processor/templates/"):
            requests.post(
                stack.base_url + path,
                headers=dict([own.split(": ", 1), secret_at(header).split(": ", 1)]),
                timeout=TIMEOUT_S,
            )
    for one in TARGETS:
        calls += [("GET", secret_at(one), "", ""), ("DELETE", secret_at(one), "", "")]
    for body in BODIES:
        for path in ("/auth/login", "/auth/register", "/data-processor/templates/"):
            for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
                calls.append(("POST", path, f"Content-Type: {kind}", secret_at(body)))
    # Side by side: over a port-forward, each connection may take a second.
    with ThreadPoolExecutor(SIDE_BY_SIDE) as crowd:
        list(crowd.map(lambda one: call(stack, *one), calls))
    with alice.socket() as live:
        for spelt in ("password={}", "Bearer {}", '"token": "{}"', "redis://:{}@redis/0"):
            live.send({"type": secret_at(spelt)})
        live.drain()
    recorder.send_bad_token(stack, redis_client)
    leaks = [
        f"{component.name}: {places[secret]}"
        for component in stack.components
        for line in target.log_tail(component.name, LINES)
        if SECRET in line
        for secret in places
        if secret in line
    ]
    assert not leaks, (
        f"logs hold a secret, expected [redacted]: {leaks}. Next: services/servicekit/servicekit/log/redact.py"
    )
    held = "\n".join(str(one) for one in recorder.stream(redis_client))
    in_recorder = [place for secret, place in places.items() if secret in held]
    assert not in_recorder, f"log-sink: keeps secrets from {in_recorder}; expected [redacted] in their place"
