"""Sends entries to the recorder as services do, to Caddy's internal listener, and as Caddy does, in datagrams."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from servicekit.secrets import read_secret

from plumbline import net
from plumbline.errors import NotGivenError
from plumbline.home import Home
from plumbline.stack import Stack
from plumbline.verification.checks.contract import INTERNAL_HEADER

SERVICE = "plumbline-check"
"""The service that entries of checks belong to. The log-sink counts few names, so all runs share one."""
_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Intake:
    """The recorder's two entrances, and the secret that both need."""

    url: str
    datagrams: tuple[str, int]
    secret: str

    @classmethod
    def of(cls, stack: Stack) -> Intake:
        """Return the entrances of an embedded stack. Raises NotGivenError for others: only these can be reached."""
        home = Home(Path(stack.home))
        ports = home.load().ports if stack.home else {}
        if not {"internal", "log-ingest"} <= ports.keys():
            raise NotGivenError("needs a stack whose internal ports can be reached (--target embedded)")
        secret = read_secret(home.secrets / "internal_secret")
        return cls(f"http://127.0.0.1:{ports['internal']}/ingest", ("127.0.0.1", ports["log-ingest"]), secret)

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Post a body with the secret."""
        with net.direct_session() as http:
            known = {INTERNAL_HEADER: self.secret}
            return http.post(self.url, data=body, headers=known | dict(headers or {}), timeout=_TIMEOUT_S)

    def hand_in(self, *entries: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        """Send entries of `SERVICE`, which are warnings unless they say otherwise."""
        known = {"level": "warning", "service": SERVICE}
        answer = self.post(b"".join(json.dumps({**known, **one}).encode() + b"\n" for one in entries), headers)
        assert answer.status_code == 204, (
            f"caddy, log-sink: POST /ingest with the internal secret gives {answer.status_code}: {answer.text[:300]}; "
            "expected 204. Next: ./deploy-local.sh logs --component log-sink"
        )

    def send(self, *entries: Mapping[str, Any]) -> None:
        """Send entries as Caddy does, one datagram each."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for one in entries:
                text = json.dumps({**one, "plumbline_key": self.secret}, separators=(",", ":"))
                sender.sendto(text.encode(), self.datagrams)
