"""Errors that the command line turns into words for a tired person."""

from __future__ import annotations


class PlumblineError(Exception):
    """Something went wrong that a person can do something about; `hint` says what, `shown` whether it was said."""

    shown = False

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class StepError(PlumblineError):
    """A step of the plan failed. `component` is the part at fault, `exit_code` its process's, where there was one."""

    def __init__(
        self, message: str, *, component: str | None = None, exit_code: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint)
        self.component = component
        self.exit_code = exit_code


class NotGivenError(PlumblineError):
    """A check needs something of a stack that was not given: it is skipped by name, and counted."""
