"""Runs commands on the home of a test, which can be that of a stopped stack."""

from __future__ import annotations

import contextlib
import resource

import pytest

from plumbline import cli
from plumbline.components import PORTS
from plumbline.home import Home


@pytest.fixture
def home(public_folder):
    """A home that Postgres's account can access; otherwise its data would be outside of the home."""
    return Home(public_folder / "home")


@pytest.fixture
def run(home, capsys):
    """Return a function that runs a command on the test's home; returns exit code, stdout and stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = cli.main([*arguments, "--home", str(home.root)])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return command


@pytest.fixture
def full_disk():
    """Return a context in which no file can grow, as on a full disk."""

    @contextlib.contextmanager
    def full():
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return full


@pytest.fixture
def stopped(home):
    """The home of a stopped stack."""
    home.prepare()
    ports = {name: 20000 + number for number, name in enumerate(PORTS)}
    home.save(home.load(), target="embedded", stack_id="abc", phase="down", ports=ports)
    return home
