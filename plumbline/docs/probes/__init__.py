"""Scripts that read one service each and print JSON, in a process of their own with that service's PYTHONPATH."""
