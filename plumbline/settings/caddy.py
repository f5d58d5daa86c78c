"""Settings of Caddy: one field per variable of docker/caddy/Caddyfile, with the same default."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.config import JsonDict
from pydantic_settings import BaseSettings, SettingsConfigDict
from servicekit import facts
from servicekit.settings import ADDRESS, ENV_PREFIX, deployed

_DURATION = re.compile(r"\d+(\.\d+)?(ms|s|m|h)")
_A_DURATION: JsonDict = {"type": "duration such as 500ms, 2s or 1m"}


def _duration(value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise ValueError("not a duration")
    return value


Duration = Annotated[str, AfterValidator(_duration)]


def _keepalive(value: str) -> str:
    return value if value == "off" else _duration(value)


def _address(value: str) -> str:
    return str(ipaddress.ip_address(value))


def _networks(value: str) -> str:
    return " ".join(str(ipaddress.ip_network(part)) for part in value.split())


_FILES = deployed("the deployment knows where its files are")
_HTTPS = deployed("`./deploy-local.sh up --domain NAME` and its options set it")


class CaddySettings(BaseSettings):
    """The environment variables of the Caddyfile."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="ignore", frozen=True)

    front_host: Annotated[str, AfterValidator(_address)] = Field(
        "127.0.0.1", description="Address of the front door.", json_schema_extra={"type": "IP address"}
    )
    front_port: int = Field(facts.FRONT_PORT, ge=1, le=65535, description="Port of the front door.")
    front_trusted_proxies: Annotated[str, AfterValidator(_networks)] = Field(
        "",
        description="Networks, separated by spaces, whose X-Forwarded-For the front door trusts: those of an ingress "
        "or a proxy in front of it.",
        json_schema_extra={"type": "list of networks, separated by spaces"},
    )
    shutdown_delay: Duration = Field(
        "0s",
        description="How long Caddy continues after a stop signal, closing each connection after its response.",
        json_schema_extra=_A_DURATION,
    )
    upstream_keepalive: Annotated[str, AfterValidator(_keepalive)] = Field(
        "30s",
        description="How long an idle connection to a service is kept; `off` opens one for each request.",
        json_schema_extra={"type": "duration such as 30s, or off"},
    )
    upstream_patience: Duration = Field(
        "0s",
        description="How long a request waits for a service that refuses connections, such as 2s.",
        json_schema_extra=_A_DURATION,
    )
    upstream_timeout: Duration = Field(
        "30s",
        description="How long the backend or the log-sink may take to begin its answer before the client gets a 504.",
        json_schema_extra=_A_DURATION,
    )
    decoding_timeout: Duration = Field(
        "60s",
        description="The same for the data-processor, which may wait for a decoder.",
        json_schema_extra=_A_DURATION,
    )
    front_body_patience: Duration = Field(
        "20s",
        description="How long a request body may take, plus one second per PLUMBLINE_FRONT_BODY_RATE bytes.",
        json_schema_extra=_A_DURATION,
    )
    front_read_patience: Duration = Field(
        "30s",
        description="How long a client may read nothing of its answer before its connection is closed.",
        json_schema_extra=_A_DURATION,
    )
    front_body_rate: int = Field(
        16384,
        ge=1,
        description="Minimum rate of uploads and of document downloads, in bytes per second.",
    )
    front_door: str = Field(
        "http", description="The part of the Caddyfile with the front door's addresses.", json_schema_extra=_HTTPS
    )
    auto_https: str = Field("off", description="Whether Caddy gets certificates itself.", json_schema_extra=_HTTPS)
    https_port: int = Field(443, ge=1, le=65535, description="Port of HTTPS.", json_schema_extra=_HTTPS)
    http_port: int = Field(80, ge=1, le=65535, description="Port that redirects to HTTPS.", json_schema_extra=_HTTPS)
    domain: str = Field("localhost", description="Name that HTTPS is for.", json_schema_extra=_HTTPS)
    public_host: str = Field("localhost", description="Address that HTTP redirects to.", json_schema_extra=_HTTPS)
    certificate: str = Field("none", description="File with a given certificate.", json_schema_extra=_HTTPS)
    certificate_key: str = Field("none", description="File with the key of that certificate.", json_schema_extra=_HTTPS)
    acme_ca: str = Field(
        "https://acme-v02.api.letsencrypt.org/directory",
        description="Directory of the ACME authority.",
        json_schema_extra=_HTTPS,
    )
    acme_root: str = Field(
        "", description="Directive that names the certificate of the ACME server.", json_schema_extra=_HTTPS
    )
    internal_host: str = Field(
        "127.0.0.1",
        description="Address of the listener for the services' log entries. It must not be reachable from outside.",
        json_schema_extra=ADDRESS,
    )
    internal_port: int = Field(ge=1, le=65535, description="Port of that listener.", json_schema_extra=ADDRESS)
    files: Path = Field(
        Path("/srv"),
        description="Folder of the pages and the built docs, laid out as a checkout.",
        json_schema_extra=_FILES,
    )
    swagger_ui: Path = Field(
        Path("/srv/swagger-ui"), description="Folder of Swagger UI, for the API reference.", json_schema_extra=_FILES
    )
    internal_secret_file: Path = Field(description="File with the secret that Caddy and the services share.")
    backend: str = Field(description="Address (host:port) of the backend.", json_schema_extra=ADDRESS)
    data_processor: str = Field(description="Address (host:port) of the data-processor.", json_schema_extra=ADDRESS)
    log_sink: str = Field(description="Address (host:port) of the log-sink.", json_schema_extra=ADDRESS)
    log_ingest: str = Field(
        description="Address (host:port) of the log-sink's UDP port, for Caddy's own entries.",
        json_schema_extra=ADDRESS,
    )
