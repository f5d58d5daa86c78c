"""The query parameters of readers: `service`, `level`, `request_id`, `q`, `limit`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from servicekit.facts import LEVELS_KEPT, LOG_CAP

TEXT_MAX = 200
NAMES = ("service", "level", "request_id", "q")


class BadQueryError(ValueError):
    """Query parameters are invalid. `errors` holds {field, message} for each."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{error['field']}: {error['message']}" for error in errors))
        self.errors = errors


@dataclass(frozen=True)
class Filter:
    """Every condition must hold; empty conditions always hold. Services and levels may be lists separated by commas."""

    services: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    request_id: str = ""
    text: str = ""
    limit: int = LOG_CAP

    def matches(self, entry: dict[str, Any]) -> bool:
        """Return whether the entry matches. Text is compared without case."""
        if self.services and entry.get("service") not in self.services:
            return False
        if self.levels and entry.get("level") not in self.levels:
            return False
        if self.request_id and entry.get("request_id") != self.request_id:
            return False
        return not self.text or any(self.text in text.casefold() for text in searched(entry))


def searched(entry: dict[str, Any]) -> Iterable[str]:
    """Yield every text of an entry that is searched."""
    yield entry.get("message") or ""
    yield entry.get("logger") or ""
    yield entry.get("exception") or ""
    yield from _texts(entry.get("fields"))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)


def parse_filter(query: Iterable[tuple[str, str]], also: tuple[str, ...] = ()) -> Filter:
    """Return the filter of a query string. `also` names parameters that the caller reads itself.

    Raises BadQueryError for unknown names, repeated names and invalid values.
    """
    errors: list[dict[str, str]] = []
    values: dict[str, str] = {}
    for name, value in query:
        if name not in (*NAMES, *also):
            errors.append({"field": name[:50], "message": f"is unknown; known are {', '.join((*NAMES, *also))}"})
        elif name in values:
            errors.append({"field": name, "message": "is given twice; separate several values by commas"})
        elif len(value) > TEXT_MAX:
            errors.append({"field": name, "message": f"is longer than {TEXT_MAX} characters"})
        else:
            values[name] = value.strip()
    levels = _several(values.get("level", ""))
    if unknown := sorted(levels.difference(LEVELS_KEPT)):
        errors.append({"field": "level", "message": f"{', '.join(unknown)}: not one of {', '.join(LEVELS_KEPT)}"})
    limit = values.get("limit", "") or str(LOG_CAP)
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= LOG_CAP):
        errors.append({"field": "limit", "message": f"is not a whole number from 1 to {LOG_CAP}"})
    if errors:
        raise BadQueryError(errors)
    text = values.get("q", "").casefold()
    return Filter(_several(values.get("service", "")), levels, values.get("request_id", ""), text, int(limit))


def _several(value: str) -> frozenset[str]:
    return frozenset(part.strip() for part in value.split(",") if part.strip())
