"""The kinds of jobs. A kind says what to run, and what to record if that will never succeed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from procrastinate import Blueprint, JobContext

from data_processor.jobs import retries

logger = logging.getLogger(__name__)

_BACKOFF = retries.Backoff()


@dataclass(frozen=True, slots=True)
class Kind:
    """`run` does the work. `give_up` records a reason, for people, why it was not done. Both may run again."""

    run: Callable[..., None]
    give_up: Callable[..., None]


class Kinds:
    """Every kind of job, by the name of its task."""

    def __init__(self) -> None:
        self.blueprint = Blueprint()
        self._kinds: dict[str, Kind] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._kinds

    def add(self, name: str, kind: Kind) -> None:
        """Add a kind. Its functions get the arguments of the job by name."""
        self._kinds[name] = kind

        @self.blueprint.task(name=name, pass_context=True, retry=_BACKOFF)
        def task(context: JobContext, /, **arguments: object) -> None:
            try:
                kind.run(**arguments)
            except Exception as error:
                fields = {"task": name, "tries": context.job.attempts + 1, **arguments}
                if not retries.may_pass(error):
                    logger.exception("a job failed", extra={"fields": fields})
                    kind.give_up(reason="the service failed at it: the operator's log has the details", **arguments)
                elif retries.is_last(context.job):
                    logger.exception("a job is given up", extra={"fields": fields})
                    kind.give_up(reason=f"it was tried {retries.TRIES_MAX} times: {_first_line(error)}", **arguments)
                else:
                    logger.warning("a job is tried again: %s", _first_line(error), extra={"fields": fields})
                    raise

    def give_up(self, name: str, reason: str, arguments: dict[str, object]) -> None:
        """Record why a job was not done. Does nothing for a kind that this release does not know."""
        if name in self._kinds:
            self._kinds[name].give_up(reason=reason, **arguments)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


KINDS = Kinds()
