"""Measures the services beside the least that the same work can cost: `python -m benchmarks`."""
