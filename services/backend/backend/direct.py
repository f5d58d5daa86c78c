"""Calls a route with what its request sends, without the framework's own handling of arguments.

That costs a request twice as much as its statement. Here one validator takes the path and the query, and one the bytes
of a JSON body. Where something is not valid, or not plain, the framework takes over: it decides, and words the refusal.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, get_args, get_type_hints

from fastapi import Request, params
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, create_model
from starlette.exceptions import HTTPException

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Dependency = Callable[[Request], Awaitable[Any]]
_JSON = "application/json"


class DirectRoute(APIRoute):
    """A route of FastAPI, called directly where a request is valid and the route's parameters are plain."""

    def get_route_handler(self) -> Handler:
        """Return what answers a request."""
        framework = super().get_route_handler()
        endpoint: Callable[..., Awaitable[Response]] = self.endpoint
        arguments = Arguments.of(endpoint)
        if arguments is None:
            return framework

        async def handle(request: Request) -> Response:
            given = await arguments.read(request)
            if given is None:
                return await framework(request)
            # After everything else is known to be valid, as in the framework.
            for name, dependency in arguments.dependencies.items():
                given[name] = await dependency(request)
            return await endpoint(**given)

        return handle


class Arguments:
    """The parameters of a route that answers with a Response: path and query, a JSON body, and dependencies."""

    def __init__(
        self, values: dict[str, Any], body: tuple[str, type[BaseModel]] | None, dependencies: dict[str, Dependency]
    ) -> None:
        self._values = create_model("Values", **values) if values else None
        self._body = body
        self.dependencies = dependencies

    @classmethod
    def of(cls, endpoint: Callable[..., Any]) -> Arguments | None:
        """Return the parameters of a route's function; None if some are of other kinds."""
        types = get_type_hints(endpoint, include_extras=True)
        values: dict[str, Any] = {}
        bodies: list[tuple[str, type[BaseModel]]] = []
        dependencies: dict[str, Dependency] = {}
        for name, parameter in inspect.signature(endpoint).parameters.items():
            kind, *notes = get_args(types[name]) if hasattr(types[name], "__metadata__") else (types[name],)
            depends = next((note.dependency for note in notes if isinstance(note, params.Depends)), None)
            if depends is not None and list(inspect.signature(depends).parameters) == ["request"]:
                dependencies[name] = depends
            elif depends is None and isinstance(kind, type) and issubclass(kind, BaseModel) and not notes:
                bodies.append((name, kind))
            elif any(isinstance(note, params.Path | params.Query) for note in notes):
                values[name] = (types[name], ... if parameter.default is parameter.empty else parameter.default)
            elif not notes and parameter.default is None:
                values[name] = (types[name], None)
            else:
                return None
        if types.get("return") is not Response or len(bodies) > 1:
            return None
        return cls(values, bodies[0] if bodies else None, dependencies)

    async def read(self, request: Request) -> dict[str, Any] | None:
        """Return the values of all parameters but the dependencies; None if the framework has to look at them."""
        try:
            given: dict[str, Any] = {}
            if self._values is not None:
                sent = dict(request.query_params) if request.scope["query_string"] else {}
                given = vars(self._values.model_validate({**sent, **request.path_params}))
            if self._body is not None:
                name, model = self._body
                content_type = request.headers.get("content-type", "")
                if content_type != _JSON and content_type.partition(";")[0].strip().lower() != _JSON:
                    return None
                given[name] = model.model_validate_json(await request.body())
        except HTTPException:
            raise
        except Exception:  # what is not valid, and a client that has hung up
            return None
        return given
