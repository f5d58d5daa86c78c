"""The lowest cost of the same work: no sessions, no checks, no error messages, no events."""
