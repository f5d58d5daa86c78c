"""The least that the same work costs: no sessions, no checks, no error messages, no events."""
