"""Reads settings.env of a stack, without the deployer's code."""

from __future__ import annotations

from pathlib import Path

from dotenv import dotenv_values

from plumbline.errors import NotGivenError
from plumbline.stack import Stack


def home_of(stack: Stack) -> Path:
    """Return the stack's home. Raises NotGivenError if it is on another machine."""
    if not stack.home:
        raise NotGivenError("needs the stack's home (not available for a remote stack)")
    return Path(stack.home)


def settings(stack: Stack) -> dict[str, str]:
    """Return each variable of settings.env with its value."""
    return {name: value for name, value in dotenv_values(home_of(stack) / "settings.env").items() if value is not None}
