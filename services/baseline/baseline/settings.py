"""Settings of the baseline, read from the environment as `PLUMBLINE_<FIELD>`. What users set is the backend's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode
from servicekit.settings import ADDRESS, ServiceSettings, TokenSettings

SERVICE = "baseline"


class BaselineSettings(ServiceSettings, TokenSettings):
    """Settings of the baseline's one process."""

    port: int = Field(8004, ge=1, le=65535, description="TCP port to listen on.", json_schema_extra=ADDRESS)
    folder: Path = Field(description="Folder of the SQLite database.", json_schema_extra=ADDRESS)
    operator_password_file: Path = Field(description="File with the operator's password.")
    session_ttl_s: int = Field(12 * 3600, ge=1, description="How long a session lasts, in seconds.")
    cookie_secure: bool = Field(False, description="Send the session cookie over HTTPS only.")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field((), description="Further origins of browsers.")
    # The baseline has no invites, so `invite` means closed.
    registration: Literal["open", "invite", "closed"] = Field("open", description="Who may register.")
    frame_max_bytes: int = Field(64 * 1024, ge=1024, description="Largest frame from a client, in bytes.")
    socket_queue: int = Field(256, ge=1, description="Frames that may wait for a slow socket before it is closed.")

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def load() -> BaselineSettings:
    """Return the settings from the environment. Raises pydantic's ValidationError."""
    return BaselineSettings()  # type: ignore[call-arg]
