"""What clients and operators rely on, written once. Checks compare stacks with this, not with the product's code.

A unit test compares it with the product, so that neither changes alone.
"""

from __future__ import annotations

import tomllib

from plumbline import ROOT
from plumbline.stack import Stack

POSTGRES_MAJOR = 16
DATABASE_NAME = "app_db"
DATABASE_USER = "app_user"
DATABASE_SCHEMA = "public"
HEALTH_PATHS = {"backend": "/health", "data-processor": "/data-processor/health", "log-sink": "/logs/health"}
OPERATOR_USERNAME = "operator"

SESSION_COOKIE = "access_token"
SESSION_TTL_S = 12 * 3600
INVITE_TTL_S = 7 * 24 * 3600
PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$"  # noqa: S105  no password
"""How the hash of a password begins: the algorithm, and what it costs to guess."""
LOGIN_ATTEMPTS = 30
"""Failed logins to one user name from one address, in a minute."""
REQUEST_ID_HEADER = "X-Request-Id"
INTERNAL_HEADER = "X-Plumbline-Internal"
EVENTS_CHANNEL = "plumbline:events"

LOG_STREAM = "logs:recent"
LOG_CAP = 200
FAULTS_KEPT = 20
"""Most entries about faults of clients, and as many about failed requests."""
LEVELS_KEPT = ("warning", "error", "critical")
ENTRY_MAX_BYTES = 16 * 1024
INGEST_MAX_BYTES = 4 * 1024 * 1024
"""Largest batch of entries that a service can send."""

PAGE_DEFAULT = 50
PAGE_MAX = 100
MESSAGE_MAX = 8000
NAME_MAX = {"channel": 80, "other": 200}
"""Most characters of the name of a channel, and of a template, label or file."""
FRAME_MAX_BYTES = 64 * 1024
BODY_MAX_BYTES = {"backend": 64 * 1024, "data-processor": 1024 * 1024}
FRONT_MAX_BYTES = {"backend": 1_000_000, "data-processor": 32_000_000}
"""Larger bodies do not reach the service: Caddy refuses them."""
UPLOAD_MAX_BYTES = 25 * 1024 * 1024
IMAGE_MAX_PIXELS = 80_000_000
PDF_MAX_PAGES = 500
THUMBNAIL_SIDE = 320
"""Longest side of a thumbnail, in pixels."""
PICTURE_WIDTH = 1200
"""Width of a page's picture if none is asked for, in pixels."""
PICTURE_WIDTH_MAX = 2400
MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/heic", "application/pdf")
VALIDATION_STATUSES = ("pending", "valid", "invalid", "corrected")

CODES = frozenset(
    """
    account_disabled binary_frame body_too_large broken_file channel_exists database_away direct_channel
    direct_with_oneself
    encrypted forbidden foreign_origin front_door_only incomplete internal_error invalid invalid_frame
    invalid_json invite_needed key_in_use key_reused last_operator malformed_body malformed_request
    method_not_allowed name_taken no_such_address no_such_annotation no_such_batch_job no_such_channel
    no_such_document no_such_invite no_such_member no_such_page no_such_template no_such_user no_thumbnail not_a_member
    not_an_operator not_the_creator not_your_socket overloaded page_size password_in_file range_not_satisfiable
    redis_unavailable refused registration_closed schema_behind several_frames template_changed text_pending too_complex
    too_many_at_once too_many_attempts too_many_pages too_many_pixels too_many_readers too_many_registrations
    too_much_at_once unauthenticated unavailable unknown_type upstream_unavailable username_taken
    wrong_credentials wrong_media_type wrong_password
    """.split()  # noqa: SIM905  easier to read than one per line
)
"""`code` of every refusal."""


def version() -> str:
    """Return this release's version, which every service reports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def setting(stack: Stack, name: str, default: int) -> int:
    """Return the number that a stack's owner has set for `name` (`PLUMBLINE_…`), or the contract's `default`."""
    for line in stack.settings:
        variable, _, rest = line.partition("=")
        if variable == name:
            return int(rest.split()[0])
    return default
