"""Uses HTTP connections again for all sessions: over a port-forward to a cluster, each new one takes up to a second."""

from __future__ import annotations

from typing import Any, ClassVar

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

_CONNECTIONS = 64


class _SharedPool(HTTPAdapter):
    """Takes connections from one pool, which stays open when a session is closed."""

    pools: ClassVar[PoolManager | None] = None

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        """Make the pool once. Its connections are closed with the process."""
        del maxsize
        if _SharedPool.pools is None:
            super().init_poolmanager(connections, _CONNECTIONS, block, **more)
            _SharedPool.pools = self.poolmanager
        self.poolmanager = _SharedPool.pools

    def close(self) -> None:
        """Leave the connections to other sessions."""


def keep() -> None:
    """Let all sessions that begin from now on share their connections."""
    requests.sessions.HTTPAdapter = _SharedPool
