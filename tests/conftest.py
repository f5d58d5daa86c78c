"""The suites: the same files on every target. Everything they know of the stack comes from this plugin's fixtures."""

import pytest

pytest.register_assert_rewrite("plumbline.checks")
