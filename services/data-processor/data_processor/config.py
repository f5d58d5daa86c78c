"""Typed settings of the data-processor. Every field is read from the environment as `PLUMBLINE_<FIELD>`."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode
from servicekit.facts import FRONT_UPLOAD_MAX_BYTES
from servicekit.settings import ADDRESS, DatabaseSettings, RedisSettings, ServiceSettings, TokenSettings

SERVICE = "data-processor"
FORM_OVERHEAD = 64 * 1024
"""Space for the form around a file."""
FRONT_DOOR_MAX = (FRONT_UPLOAD_MAX_BYTES - FORM_OVERHEAD) // 1024**2 * 1024**2
"""In whole MiB."""


class DataProcessorSettings(ServiceSettings, RedisSettings, DatabaseSettings, TokenSettings):
    """The settings of the data-processor."""

    port: int = Field(8002, ge=1, le=65535, description="TCP port to listen on.", json_schema_extra=ADDRESS)
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Further browser origins that may change things with the session cookie, separated by commas; "
        "the stack's own is always allowed.",
    )
    upload_max_bytes: int = Field(
        25 * 1024**2, ge=1024, le=FRONT_DOOR_MAX, description="Largest document that is accepted, in bytes."
    )
    body_max_bytes: int = Field(1024**2, ge=1024, le=FRONT_DOOR_MAX, description="Largest JSON request body, in bytes.")
    image_max_pixels: int = Field(
        80_000_000,
        ge=1,
        description="Largest image or page of a TIFF that is accepted, in pixels: a phone's photo, or A3 at 600 dpi.",
    )
    pdf_max_pages: int = Field(500, ge=1, le=10_000, description="Largest number of pages of a PDF or TIFF.")
    text_max_chars: int = Field(500_000, ge=0, description="Largest stored text of a document, in characters.")
    decode_timeout_s: float = Field(15.0, gt=0, description="Longest time that decoding one file may take, in seconds.")
    page_timeout_s: float = Field(
        60.0, gt=0, description="Longest time that reading the text of one page may take, in seconds."
    )
    slow_per_user: int = Field(
        3, ge=1, description="Concurrent uploads of one user per process, and as many other changes."
    )
    slow_per_address: int = Field(
        6, ge=1, description="Concurrent uploads, and concurrent changes, from one address per process."
    )
    export_timeout_s: float = Field(
        600.0, gt=0, description="How long sending an export may take, in seconds. After that it is cut off."
    )
    database_wait_s: float = Field(
        2.0,
        gt=0,
        description="How long a request waits for a database connection before it gets a 503, in seconds.",
    )
    job_stall_s: float = Field(
        8.0,
        ge=2.0,
        le=600.0,
        description="How long a worker may be silent before its job is given to another, in seconds.",
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
