"""Registers the pytest plugins: temporary servers, several processes, the running stack for the suites."""

import os

import pytest

# Messages have the same lines everywhere: readline tells the processes of xdist a width, and so do some shells.
os.environ.pop("COLUMNS", None)

pytest.register_assert_rewrite("plumbline.verification.checks")
pytest_plugins = [
    "plumbline.verification.throwaway",
    "plumbline.verification.plugins.parallel",
    "plumbline.verification.plugins.disrupt",
    "plumbline.verification.plugins.stack",
    "plumbline.verification.plugins.browser",
    "plumbline.verification.plugins.sentences",
    "plumbline.verification.plugins.created",
    "plumbline.verification.plugins.report",
    "plumbline.verification.plugins.progress",
]
