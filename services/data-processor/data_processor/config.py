"""Typed settings of the data-processor. Every field is read from the environment as `PLUMBLINE_<FIELD>`."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode
from servicekit.facts import FRONT_UPLOAD_MAX_BYTES
from servicekit.settings import ADDRESS, DatabaseSettings, ServiceSettings, TokenSettings

SERVICE = "data-processor"
FORM_OVERHEAD = 64 * 1024
"""What may surround a file in a form."""
FRONT_DOOR_MAX = (FRONT_UPLOAD_MAX_BYTES - FORM_OVERHEAD) // 1024**2 * 1024**2
"""In whole MiB."""


class DataProcessorSettings(ServiceSettings, DatabaseSettings, TokenSettings):
    """The settings of the data-processor."""

    port: int = Field(8002, ge=1, le=65535, description="TCP port to listen on.", json_schema_extra=ADDRESS)
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Further browser origins that may change things with the session cookie, separated by commas; "
        "the stack's own is always allowed.",
    )
    upload_max_bytes: int = Field(
        25 * 1024**2, ge=1024, le=FRONT_DOOR_MAX, description="Largest document that is taken, in bytes."
    )
    body_max_bytes: int = Field(1024**2, ge=1024, le=FRONT_DOOR_MAX, description="Largest JSON request body, in bytes.")
    image_max_pixels: int = Field(40_000_000, ge=1, description="Largest image that is taken, in pixels.")
    pdf_max_pages: int = Field(500, ge=1, le=10_000, description="Most pages that a PDF may have.")
    pdf_text_max_chars: int = Field(500_000, ge=0, description="Most characters of a PDF's text layer that are kept.")
    decode_timeout_s: float = Field(15.0, gt=0, description="Longest time that decoding one file may take, in seconds.")
    slow_per_user: int = Field(
        3, ge=1, description="Uploads of one user that a process takes at the same time, and other changes likewise."
    )
    slow_per_address: int = Field(
        6, ge=1, description="Uploads and changes from one address that a process takes at the same time."
    )
    database_wait_s: float = Field(
        2.0,
        gt=0,
        description="How long a request waits for a database connection before it is answered 503, in seconds.",
    )
    migration_wait_s: float = Field(
        60.0, ge=0, description="How long `migrate` waits for another migration, in seconds."
    )

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


@cache
def current() -> DataProcessorSettings:
    """Return this process's settings, read from the environment once. Raises pydantic's ValidationError."""
    return DataProcessorSettings()  # type: ignore[call-arg]  # the fields come from the environment
