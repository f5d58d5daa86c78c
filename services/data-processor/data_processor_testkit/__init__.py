"""Shared parts of the data-processor's tests: generated files and a running service."""
