"""What a client may choose for an export: in a JSON body, or in the query string."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from django.http import HttpRequest
from pydantic import ValidationError

from data_processor.web import bodies
from data_processor.web.inputs import QUERY_REFUSALS, Number, Source

Format = Literal["json", "csv", "sql"]
Dialect = Literal["postgresql", "sqlite"]


class ExportOptions(bodies.Body):
    """The format of an export, and which values and columns it has.

    `dialect` and `create_table` are for SQL. `validated_only` leaves out values that are neither `valid` nor
    `corrected`.
    """

    model_config = bodies.example(format="csv", validated_only=True)

    format: Format
    dialect: Dialect = "postgresql"
    include_metadata: bool = True
    validated_only: bool = False
    create_table: bool = False


_FLAGS = {"true": True, "false": False}
_MEANINGS = {
    "format": "The format of the export.",
    "dialect": "The database that the SQL is for.",
    "include_metadata": "Also the columns about boxes, files, templates and people.",
    "validated_only": "Only values that are `valid` or `corrected`.",
    "create_table": "SQL: create the table first.",
}


def _from_query(request: HttpRequest) -> ExportOptions:
    given = {name: request.GET[name] for name in _MEANINGS if name in request.GET}
    values = {
        name: _FLAGS.get(text, text) if ExportOptions.model_fields[name].annotation is bool else text
        for name, text in given.items()
    }
    try:
        return ExportOptions.model_validate(values)
    except ValidationError as error:
        raise bodies.invalid(error) from None


def _parameters() -> tuple[dict[str, Any], ...]:
    return tuple(_parameter(name, meaning) for name, meaning in _MEANINGS.items())


def _parameter(name: str, meaning: str) -> dict[str, Any]:
    field = ExportOptions.model_fields[name]
    if field.annotation is bool:
        schema: dict[str, Any] = {"type": "boolean"}
    else:
        schema = {"type": "string", "enum": list(get_args(field.annotation))}
    if not field.is_required():
        schema["default"] = field.default
    return {
        "name": name,
        "in": "query",
        "required": field.is_required(),
        "description": meaning,
        "schema": schema,
    }


ExportQuery = Annotated[ExportOptions, Source(_from_query, QUERY_REFUSALS, _parameters())]
"""The options in a query string."""

AfterQuery = Annotated[int | None, Number("after", "Only documents whose id is larger.").source()]
BeforeQuery = Annotated[int | None, Number("before", "Only documents whose id is smaller.").source()]
