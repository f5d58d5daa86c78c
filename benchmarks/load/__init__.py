"""The load generator: one process, sixteen keep-alive connections, no pipelining; counts correct answers alone."""
