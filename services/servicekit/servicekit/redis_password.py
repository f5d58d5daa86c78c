"""The password of Redis, read again for each new connection: Redis accepts two while it is being replaced."""

from __future__ import annotations

from pathlib import Path

from redis.credentials import CredentialProvider

from servicekit.rotating import RotatingSecret


class RedisPassword(CredentialProvider):
    """Gives redis-py the current password."""

    def __init__(self, file: Path) -> None:
        """Read the password. Raises SecretError if the file is unusable."""
        self._secret = RotatingSecret(file)

    def get_credentials(self) -> tuple[str]:
        """Return the password."""
        return (self._secret.current(),)

    async def get_credentials_async(self) -> tuple[str]:
        """Return the password. The library's own method warns at each connection."""
        return self.get_credentials()
