"""The load generator: one process, keep-alive connections, no pipelining; counts correct answers alone."""
