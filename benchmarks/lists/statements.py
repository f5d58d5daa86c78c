"""Prints the statement of each list of a service, and the options of its connections, as JSON.

`python -m benchmarks.lists.statements SERVICE IDS`

Runs in the environment of that service, calls the code behind each list, and stops it at its first statement. IDS is
JSON: user, channel, document, limit. Must not import plumbline.verification.throwaway, which drops the
settings of the environment.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

_NEWEST = 2**63 - 1


class StatementFound(Exception):  # noqa: N818  # raised to stop, not to report an error
    """A statement on its way to Postgres."""

    def __init__(self, statement: str, parameters: Mapping[str, Any]) -> None:
        super().__init__(statement)
        self.found = (statement, dict(parameters))


def _stop(statement: str, parameters: Mapping[str, Any], *_: object) -> Any:
    raise StatementFound(statement, parameters)


def _first(call: Callable[[], object]) -> tuple[str, dict[str, Any]]:
    try:
        call()
    except StatementFound as stop:
        return stop.found
    raise RuntimeError("the list made no statement")


def backend(ids: dict[str, int]) -> dict[str, Any]:
    """Return the statement and parameters behind each list of the backend."""
    from backend.routes import channels, members, messages

    async def all_(statement: str, parameters: dict[str, Any]) -> Any:
        _stop(statement, parameters)

    caller: Any = SimpleNamespace(user=SimpleNamespace(user_id=ids["user"]), db=SimpleNamespace(fetch_all=all_))

    def run(route: Callable[..., Awaitable[object]], **given: Any) -> tuple[str, dict[str, Any]]:
        async def call() -> None:
            await route(caller=caller, limit=ids["limit"], **given)

        return _first(lambda: asyncio.run(call()))

    page: dict[str, Any] = {"before": _NEWEST}
    return {
        "GET /channels/": run(channels.list_channels, **page),
        "GET /channels/search": run(channels.search_channels, name="listed"),
        "GET /channels/{channel_id}/members": run(members.list_members, channel_id=ids["channel"], **page),
        "GET /channels/{channel_id}/messages": run(messages.list_messages, channel_id=ids["channel"], **page),
    }


def backend_options() -> str:
    """Return the options of the backend's connections."""
    from backend.database import PLANS

    return PLANS


def data_processor_options() -> str:
    """Return those of the data-processor's."""
    from data_processor.settings import DATABASES

    return str(DATABASES["default"]["OPTIONS"]["options"])


def data_processor(ids: dict[str, int]) -> dict[str, Any]:
    """Return the same for the data-processor."""
    from data_processor import process

    process.configure(forward=False)
    from data_processor.annotations.selectors import annotation_list
    from data_processor.batches.selectors import batch_list
    from data_processor.database import statements
    from data_processor.documents.selectors import document_list
    from data_processor.templates.selectors import template_list
    from data_processor.web.pages import Page

    statements.rows = _stop  # type: ignore[assignment]  # which raises, and so returns no rows
    page, user_id, channel_id = Page(_NEWEST, ids["limit"]), ids["user"], ids["channel"]

    def run(select: Callable[..., object], **given: Any) -> tuple[str, dict[str, Any]]:
        return _first(lambda: select(user_id=user_id, page=page, **given))

    return {
        "GET /data-processor/documents/": run(document_list, channel_id=channel_id),
        "GET /data-processor/documents/{document_id}/annotations/": run(annotation_list, document_id=ids["document"]),
        "GET /data-processor/templates/ channel": run(template_list, channel_id=channel_id),
        "GET /data-processor/templates/ all": run(template_list, channel_id=None),
        "GET /data-processor/batch/ channel": run(batch_list, channel_id=channel_id),
        "GET /data-processor/batch/ all": run(batch_list, channel_id=None),
    }


if __name__ == "__main__":
    services = {"backend": (backend, backend_options), "data-processor": (data_processor, data_processor_options)}
    lists, options = services[sys.argv[1]]
    json.dump({"lists": lists(json.loads(sys.argv[2])), "options": options()}, sys.stdout)
