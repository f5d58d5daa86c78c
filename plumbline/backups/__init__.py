"""Backups of a stack's database: archives, their verification, restoring them, and going back a release."""

from plumbline.backups.backup import restored, snapshot

__all__ = ["restored", "snapshot"]
