"""What a rotation needs of a target."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from plumbline.targets.base import Target

RedisRule = Literal["accept", "only"]


@runtime_checkable
class RotatingTarget(Target, Protocol):
    """A target that keeps the stack's secrets itself."""

    secrets_are_mounted: bool
    """Whether components see the secret files through mounts, so that a file must keep its inode."""

    def deliver_secrets(self) -> None:
        """Wait until every running component sees the current secret files. Raises StepError."""

    def set_redis_passwords(self, rule: RedisRule, digest: str) -> None:
        """Let Redis `accept` the password with this SHA-256, too, or `only` that one. Raises StepError."""

    def rotated(self, name: str) -> None:
        """Store that a secret was replaced without a restart."""

    def session_lifetime_s(self) -> int:
        """Return how long a session token is valid."""
