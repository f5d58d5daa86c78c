"""Starts a stack with the machine."""
