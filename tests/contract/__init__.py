"""Sends generated requests to a stack, and compares its answers with what its OpenAPI documents declare."""
