"""Sources of the parameters of a call: `Annotated[int | None, source]` in the signature of its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, QueryDict
from servicekit.codes import Code

from data_processor.web.errors import InvalidError

ID_MAX = 2**63 - 1
"""Largest value of a Postgres bigint."""


@dataclass(frozen=True, slots=True)
class Source:
    """How a parameter is read from a request, what reading may be refused with, and what OpenAPI says about it."""

    read: Callable[[HttpRequest], Any]
    refusals: tuple[Code, ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    """The type of the body for each media type."""
    session: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number in the query string, or in a form."""

    name: str
    description: str
    most: int = ID_MAX
    default: int | None = None
    missing: str | None = None
    """What to say where it is required and absent."""

    def within(self, values: QueryDict) -> int | None:
        """Return the number, or None if it is absent. Raises InvalidError outside of 1 to `most`."""
        text = values.get(self.name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= self.most):
            raise InvalidError((self.name, f"must be a whole number from 1 to {self.most}"))
        return int(text)

    def source(self) -> Source:
        """Return what reads the number from the query string."""
        return Source(self._read, QUERY_REFUSALS, (self.parameter(),))

    def _read(self, request: HttpRequest) -> int | None:
        number = self.within(request.GET)
        if number is None and self.missing:
            raise InvalidError((self.name, self.missing))
        return self.default if number is None else number

    def parameter(self) -> dict[str, Any]:
        """Return OpenAPI's description of the number in a query string."""
        default = {} if self.default is None else {"default": self.default}
        return {
            "name": self.name,
            "in": "query",
            "required": self.missing is not None,
            "description": self.description,
            "schema": {"type": "integer", "minimum": 1, "maximum": self.most, **default},
        }


QUERY_REFUSALS = (Code.INVALID, Code.MALFORMED_REQUEST)
"""Django refuses a query string of a thousand fields as malformed."""
