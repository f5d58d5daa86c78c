"""Helpers of the suites, one module per subject. They work on every target."""
