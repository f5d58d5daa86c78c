"""Throwaway servers for the tests beside the code, and the running stack for the suites."""

import pytest

pytest.register_assert_rewrite("plumbline.checks")
pytest_plugins = [
    "plumbline.testing",
    "plumbline.disrupt_plugin",
    "plumbline.pytest_plugin",
    "plumbline.created_plugin",
    "plumbline.browser_plugin",
]
