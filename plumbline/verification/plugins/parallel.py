"""Shares the tests of `pytest -n NUMBER` out to several processes, each with servers and ports of its own."""

from __future__ import annotations

import os
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from plumbline.net import use_ports

_FOLDERS = ("plumbline/tests/targets/compose/", "plumbline/tests/verification/docs/")
"""Folders whose tests share a process: all that use the machine's one engine, and the copies of the checkout."""


def group(nodeid: str) -> str:
    """Return what has a process in common: a file, or one of some folders."""
    return next((folder for folder in _FOLDERS if nodeid.startswith(folder)), nodeid.partition("::")[0])


class _Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives whole groups to processes, in the order of the command line."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Keep together what shares fixtures: a process would start them again."""
    config.option.loadscopereorder = False
    return _Groups(config, log)


def pytest_configure() -> None:
    """Give each process ports of its own."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        use_ports(int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
