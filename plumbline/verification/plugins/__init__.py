"""Pytest plugins: the stack to prove, what checks create in it, the browser."""
