"""Pytest plugins: the stack to verify, cleanup, disruption, the browser."""
