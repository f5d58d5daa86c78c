"""Settings of the log-sink, read from the environment as `PLUMBLINE_<FIELD>`."""

from __future__ import annotations

from pydantic import Field
from servicekit.facts import INGEST_MAX_BYTES
from servicekit.settings import ADDRESS, RedisSettings, ServiceSettings, deployed


class LogSinkSettings(ServiceSettings, RedisSettings):
    """Settings of one log-sink process."""

    workers: int = Field(
        1,
        ge=1,
        le=1,
        description="Always 1: to receive more, run more sinks on the same Redis.",
        json_schema_extra=deployed("the log-sink is always one process"),
    )
    ingest_host: str = Field(
        "127.0.0.1", description="Address on which Caddy's own log entries arrive.", json_schema_extra=ADDRESS
    )
    ingest_port: int = Field(
        ge=1,
        le=65535,
        description="UDP port for Caddy's own log entries, one per datagram.",
        json_schema_extra=ADDRESS,
    )
    ingest_body_max: int = Field(
        INGEST_MAX_BYTES, ge=1024, le=64 * 1024 * 1024, description="Largest body of POST /ingest, in bytes."
    )
    stream_clients_max: int = Field(
        100, ge=1, le=10_000, description="Largest number of concurrent readers of the live tail."
    )
