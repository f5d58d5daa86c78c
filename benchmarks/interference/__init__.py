"""The cost of warnings for concurrent requests."""
