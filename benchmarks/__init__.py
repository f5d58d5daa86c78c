"""Measures Plumbline beside the least that the same work can cost; run it with `python -m benchmarks`."""
