"""Checks that the services that answer belong to a deployment, and not to an older one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from plumbline import net
from plumbline.components import HEALTH_PATHS

_TIMEOUT_S = 5
_COMPARED_S = 30
"""Time to answer for a service that is compared: it is ready, so a later answer comes from a busy machine."""
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of a health path; `reason` is None if the service is ready."""

    service: str | None
    stack_id: str | None
    reason: str | None


def health_of(url: str, timeout_s: float | None = None) -> Health:
    """Fetch a health URL. An error becomes the `reason`."""
    try:
        with net.direct_session() as http:
            answer = http.get(url, timeout=timeout_s or _TIMEOUT_S)
        body = answer.json()
        service, stack_id = body.get("service"), body.get("stack_id")
    except requests.exceptions.JSONDecodeError:
        return Health(None, None, f"{url} answers {answer.status_code} with something that is not JSON")
    except requests.RequestException as error:
        return Health(None, None, f"{url} does not answer ({error.__class__.__name__})")
    except AttributeError:
        return Health(None, None, f"{url} is not a Plumbline service")
    if answer.status_code != 200:
        return Health(
            service, stack_id, str(body.get("reason") or body.get("detail") or f"answers {answer.status_code}")
        )
    return Health(service, stack_id, None)


def compare(base_url: str, stack_id: str, patience_s: float = 0, paths: Mapping[str, str] = HEALTH_PATHS) -> list[str]:
    """Return how the services behind `base_url` differ from deployment `stack_id`. `paths` has their health checks.

    A service that is not ready is asked again for `patience_s`.
    """
    differences = []
    until = time.monotonic() + patience_s
    for service, path in paths.items():
        while (health := health_of(base_url + path, _COMPARED_S)).reason and time.monotonic() < until:
            time.sleep(_POLL_S)
        if health.reason:
            differences.append(f"{service}: {health.reason}")
        elif health.service != service:
            differences.append(f"{path} is answered by {health.service!r}, not by {service}")
        elif health.stack_id != stack_id:
            differences.append(
                f"{service} at {base_url} belongs to deployment {health.stack_id!r}, not to {stack_id!r}"
            )
    return differences
