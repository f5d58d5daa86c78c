"""Reads the recorder as an operator does: through the front door, with the operator's session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests
from servicekit.secrets import SecretError, read_secret

from plumbline import net
from plumbline.errors import PlumblineError
from plumbline.stack import Stack

_TIMEOUT_S = 10


def operator_session(stack: Stack) -> requests.Session:
    """Return an HTTP session that is logged in as the stack's operator."""
    session = net.direct_session()
    try:
        password = read_secret(Path(stack.operator.password_file))
        answer = session.post(
            f"{stack.base_url}/auth/login",
            data={"username": stack.operator.username, "password": password},
            timeout=_TIMEOUT_S,
        )
    except SecretError as error:
        raise PlumblineError(str(error)) from None
    except requests.RequestException:
        raise PlumblineError(
            f"{stack.base_url} does not answer",
            hint="./deploy-local.sh status; ./deploy-local.sh logs --component backend",
        ) from None
    if answer.status_code != 200:
        raise PlumblineError(f"the operator could not log in at {stack.base_url}: {_detail(answer)}")
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return session


def entries(stack: Stack, **filters: str | int | None) -> list[dict[str, Any]]:
    """Return the recorder's entries, oldest first. Filters: service, level, request_id, q, limit."""
    with operator_session(stack) as session:
        chosen = {name: value for name, value in filters.items() if value is not None}
        answer = session.get(f"{stack.base_url}/logs/entries", params=chosen, timeout=_TIMEOUT_S)
    if answer.status_code != 200:
        raise PlumblineError(f"the recorder did not answer: {_detail(answer)}")
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


def line(entry: dict[str, Any]) -> str:
    """Return an entry as one line for a terminal, its exception indented below."""
    head = f"{entry['ts']} {entry['level'].upper():<8} {entry['service']:<15} {entry['message']}"
    if entry.get("request_id"):
        head += f"  [{entry['request_id']}]"
    if entry.get("exception"):
        head += "\n    " + "\n    ".join(str(entry["exception"]).splitlines())
    return head


def _detail(answer: requests.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
