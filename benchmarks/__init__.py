"""Compares the services with the lowest cost of the same work: `python -m benchmarks`."""
