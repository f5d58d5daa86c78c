"""Releases: those that the changelog records, and the command that makes one."""
