"""Typed settings of the backend. Every field is read from the environment as `PLUMBLINE_<FIELD>`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode
from servicekit.facts import FRONT_BODY_MAX_BYTES
from servicekit.settings import ADDRESS, DatabaseSettings, RedisSettings, ServiceSettings, TokenSettings

SERVICE = "backend"
CLAIM_VARIABLE = "PLUMBLINE_START_CLAIM"
"""Environment variable with the file that the first ready process of a start creates. `serve` sets it."""


class BackendSettings(ServiceSettings, RedisSettings, DatabaseSettings, TokenSettings):
    """Settings of the backend."""

    port: int = Field(8001, ge=1, le=65535, description="TCP port to listen on.", json_schema_extra=ADDRESS)
    session_ttl_s: int = Field(12 * 3600, ge=1, description="How long a session lasts, in seconds.")
    cookie_secure: bool = Field(False, description="Send the session cookie over HTTPS only. Turn it on behind TLS.")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Further browser origins that may open a WebSocket, log in and change things with the session "
        "cookie, separated by commas; the stack's own is always allowed.",
    )
    login_attempts: int = Field(
        30, ge=1, description="Failed logins allowed to one user name from one address in a window."
    )
    login_attempts_per_address: int = Field(
        200,
        ge=1,
        description="Failed logins allowed to one address in a window, for all names; an IPv6 address counts as "
        "its /64 network. Users who have logged in from that address before are exempt.",
    )
    login_attempts_per_name: int = Field(
        200,
        ge=1,
        description="Failed logins allowed to one user name in a window, from all addresses. Addresses from which "
        "that user has logged in before are exempt.",
    )
    login_window_s: int = Field(60, ge=1, description="Length of that window, in seconds.")
    registration: Literal["open", "invite", "closed"] = Field(
        "open",
        description="Who may register: anyone, users with an operator's invite (`POST /auth/invites`), or no one.",
    )
    registrations_per_address: int = Field(
        200, ge=1, description="Registrations allowed to one address (an IPv6 /64) in a window."
    )
    registration_window_s: int = Field(600, ge=1, description="Length of that window, in seconds.")
    invite_ttl_s: int = Field(7 * 24 * 3600, ge=60, description="How long an invite is valid, in seconds.")
    body_max_bytes: int = Field(
        64 * 1024, ge=1024, le=FRONT_BODY_MAX_BYTES, description="Largest request body, in bytes."
    )
    frame_max_bytes: int = Field(64 * 1024, ge=1024, description="Largest WebSocket frame from a client, in bytes.")
    socket_queue: int = Field(256, ge=1, description="Frames that may wait for one slow socket before it is closed.")
    operator_password_file: Path | None = Field(
        None,
        description="File with the first operator's password; `migrate` creates the operator with it, or changes "
        "the operator's password to it.",
    )
    migration_wait_s: float = Field(
        60.0, ge=0, description="How long `migrate` waits for another migration to end, in seconds."
    )

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def load() -> BackendSettings:
    """Return the settings from the environment. Raises pydantic's ValidationError."""
    return BackendSettings()  # type: ignore[call-arg]
