"""The load generator: one process, keep-alive connections, no pipelining; counts only correct answers."""
