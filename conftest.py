"""Throwaway servers for the tests beside the code, and the running stack for the suites."""

pytest_plugins = ["plumbline.testing", "plumbline.pytest_plugin"]
