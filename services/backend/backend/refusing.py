"""Answers every refusal with a problem document."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from servicekit import inside
from servicekit.codes import Code
from servicekit.log.faults import request_fault
from servicekit.problems import CONTENT_TYPE, problem
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from backend.errors import ApiError, SchemaBehind, WrongMediaType, just_deleted

log = logging.getLogger(__name__)

_STATUS_CODES = {
    404: Code.NO_SUCH_ADDRESS,
    405: Code.METHOD_NOT_ALLOWED,
}
_STATUS_TEXTS = {
    404: "there is nothing at this address",
    405: "this address does not take that method: see the Allow header",
}


def problem_response(
    code: Code, detail: str, headers: dict[str, str] | None = None, *, status: int | None = None, **extra: Any
) -> Response:
    """Return a problem document as a response."""
    body = problem(code, detail, status=status, **extra)
    return Response(orjson.dumps(body), body["status"], headers, media_type=CONTENT_TYPE)


def refusal_response(error: HTTPException) -> Response:
    """Return the response for any refusal, ours or the framework's."""
    headers = dict(error.headers or {})
    if isinstance(error, ApiError):
        return problem_response(error.code, error.detail, headers)
    status = error.status_code
    if status == 400:
        # Starlette could not parse the body.
        return problem_response(Code.MALFORMED_BODY, "the request body cannot be parsed", headers, status=422)
    code = _STATUS_CODES.get(status, Code.REFUSED)
    return problem_response(code, _STATUS_TEXTS.get(status, error.detail), headers, status=status)


def front_door_only() -> Response:
    """Return the refusal of a request that bypassed Caddy."""
    return Response(orjson.dumps(inside.refusal()), inside.REFUSED, media_type=CONTENT_TYPE)


async def _refused(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        return problem_response(Code.METHOD_NOT_ALLOWED, _STATUS_TEXTS[405], {"Allow": ", ".join(_allowed(request))})
    if error.status_code == 400 and not isinstance(error, ApiError) and _is_json(request):
        # Such as bytes that are no UTF-8, which the framework takes for a body that it cannot parse.
        return problem_response(Code.INVALID_JSON, "the request body is not valid JSON", status=422)
    return refusal_response(error)


def _is_json(request: Request) -> bool:
    return "json" in (request.headers.get("content-type") or "")


def _allowed(request: Request) -> list[str]:
    """Return every method of the path; the framework names those of the first matching route only."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    path = next((route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE), None)
    methods = {method for route in routes if route.path == path for method in route.methods or ()}
    # Envelope answers HEAD for every GET route.
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    found = error.errors()
    if any(item["type"] == "model_attributes_type" for item in found) and not _is_json(request):
        return refusal_response(WrongMediaType())
    # Never repeat the input: it may hold a password or invalid text.
    errors = [{"field": _field(item["loc"]), "message": item["msg"].removeprefix("Value error, ")} for item in found]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    code = Code.INVALID_JSON if any(item["type"] == "json_invalid" for item in found) else Code.INVALID
    return problem_response(code, detail, status=422, errors=errors)


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])


async def _reference_violated(_request: Request, error: Exception) -> Response:
    refusal = just_deleted((error.diag.constraint_name or "") if isinstance(error, psycopg.Error) else "")
    if refusal is None:
        raise error
    return refusal_response(refusal)


async def _schema_behind(_request: Request, error: Exception) -> Response:
    request_fault(log, error, f"the schema is not what this release needs: {str(error).splitlines()[0]}")
    return refusal_response(SchemaBehind())


async def _internal_error(_request: Request, _error: Exception) -> Response:
    detail = "an unexpected error occurred: give an operator the request id of this answer"
    return problem_response(Code.INTERNAL_ERROR, detail)


def install(app: FastAPI) -> None:
    """Make `app` answer every refusal with a problem document."""
    handlers: dict[Any, Any] = {
        Exception: _internal_error,
        HTTPException: _refused,
        RequestValidationError: _invalid,
        psycopg.errors.ForeignKeyViolation: _reference_violated,
        psycopg.errors.UndefinedTable: _schema_behind,
        psycopg.errors.UndefinedColumn: _schema_behind,
    }
    for error, handler in handlers.items():
        app.add_exception_handler(error, handler)
