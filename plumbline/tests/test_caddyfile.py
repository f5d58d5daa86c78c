"""What the Caddyfile says once more, because Caddy cannot import it."""

from __future__ import annotations

import re

from servicekit import facts

from plumbline.targets.embedded.programs import CADDYFILE


def test_the_internal_listener_takes_what_the_log_sink_takes():
    internal = CADDYFILE.read_text().partition("@ingest {")[2]
    (size,) = re.findall(r"max_size (\d+)MiB", internal)
    assert int(size) * 2**20 == facts.INGEST_MAX_BYTES
