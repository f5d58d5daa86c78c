"""Errors that the command line prints without a traceback."""

from __future__ import annotations


class PlumblineError(Exception):
    """An error that a user can act on; `hint` says how, `shown` whether it was already printed."""

    shown = False

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class StepError(PlumblineError):
    """A step of the plan failed. `component` is at fault, `exit_code` is that of its process, if known."""

    def __init__(
        self, message: str, *, component: str | None = None, exit_code: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint)
        self.component = component
        self.exit_code = exit_code


class NotGivenError(PlumblineError):
    """A check needs something that was not given or not permitted; the check is skipped and listed."""


class ElsewhereError(PlumblineError):
    """Something is not part of this stack, so that a command cannot do its work on it."""
