"""Replaces secrets of a running stack."""
