"""Logging of all services: one safe line of JSON for each record, and forwarding of warnings to the recorder."""
