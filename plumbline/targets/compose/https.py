"""What containers get for HTTPS, beyond compose.yaml."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from plumbline.components import CADDY
from plumbline.https.door import Https

VOLUME = "caddy-data"
_DATA = "/var/lib/caddy"
"""Where Caddy keeps its authority and certificates, in the volume."""
_FRONT, _REDIRECT = 8080, 8081
"""Ports in the container."""
AUTHORITY = f"{_DATA}/caddy/pki/authorities/local/root.crt"


def in_containers(https: Https, front_port: int, address: str, sessions: str) -> dict[str, dict[str, Any]]:
    """Return by service what is added to it; `sessions` names the service that sets the session cookie."""
    mounted = {
        Path(file): f"/run/tls/{Path(file).name}" for file in (https.certificate, https.key, https.acme_root) if file
    }
    inside = replace(
        https,
        http_port=_REDIRECT,
        certificate=mounted.get(Path(https.certificate), ""),
        key=mounted.get(Path(https.key), ""),
        acme_root=mounted.get(Path(https.acme_root), ""),
    )
    told = inside.caddy_environment(_FRONT) | {
        "PLUMBLINE_PUBLIC_HOST": https.public_url(front_port).removeprefix("https://"),
        "XDG_DATA_HOME": _DATA,
    }
    return {
        CADDY.name: {
            "environment": told,
            "ports": [f"{address}:{https.http_port}:{_REDIRECT}"],
            "volumes": [f"{VOLUME}:{_DATA}", *(f"{file}:{place}:ro" for file, place in mounted.items())],
        },
        sessions: {"environment": {"PLUMBLINE_COOKIE_SECURE": "true"}},
    }
