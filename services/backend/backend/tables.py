"""The backend's tables. Alembic compares migrations with them; requests use plain SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

USERNAME_KEY = 'lower(username COLLATE "C")'
CHANNEL_KEY = """ltrim(lower(name) COLLATE "C", '#')"""
"""The key by which channel names are compared and searched: lower case, without the mark, in byte order."""


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def _timestamp(name: str) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


users = Table(
    "users",
    metadata,
    _id(),
    Column("username", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("is_operator", Boolean, nullable=False, server_default=text("false")),
    _timestamp("created_at"),
    Column("disabled_at", DateTime(timezone=True)),
    # Sessions of an earlier version have ended.
    Column("session_version", Integer, nullable=False, server_default=text("0")),
    Index("users_username_key", text(f"({USERNAME_KEY})"), unique=True),
    Index("users_operator_idx", "id", postgresql_where=text("is_operator")),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("version", Integer, nullable=False),
    _timestamp("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("sessions_user_id_idx", "user_id"),
    Index("sessions_expires_at_idx", "expires_at"),
)

invites = Table(
    "invites",
    metadata,
    _id(),
    Column("code_hash", LargeBinary, nullable=False, unique=True),
    Column("created_by", BigInteger, ForeignKey("users.id", ondelete="SET NULL")),
    _timestamp("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_by", BigInteger, ForeignKey("users.id", ondelete="SET NULL")),
    Column("used_at", DateTime(timezone=True)),
    # For deletions, as below: Postgres looks up the rows that reference a deleted one.
    Index("invites_created_by_idx", "created_by", postgresql_where=text("created_by IS NOT NULL")),
    Index("invites_used_by_idx", "used_by", postgresql_where=text("used_by IS NOT NULL")),
)

channels = Table(
    "channels",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("direct_key", Text, unique=True),
    Column("created_by", BigInteger, ForeignKey("users.id", ondelete="SET NULL")),
    _timestamp("created_at"),
    CheckConstraint("type IN ('public', 'private')", name="type"),
    CheckConstraint("direct_key IS NULL OR type = 'private'", name="direct"),
    Index("channels_public_name_key", text(f"({CHANNEL_KEY})"), unique=True, postgresql_where=text("type = 'public'")),
    Index("channels_private_name_idx", text(f"({CHANNEL_KEY})"), "id", postgresql_where=text("type = 'private'")),
    Index("channels_public_id_idx", "id", postgresql_where=text("type = 'public'")),
    Index("channels_created_by_idx", "created_by", postgresql_where=text("created_by IS NOT NULL")),
)

memberships = Table(
    "memberships",
    metadata,
    Column("channel_id", BigInteger, ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    _timestamp("joined_at"),
    Index("memberships_user_id_idx", "user_id", "channel_id"),
)

messages = Table(
    "messages",
    metadata,
    _id(),
    Column("channel_id", BigInteger, ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    Column("sender_id", BigInteger, ForeignKey("users.id", ondelete="SET NULL")),
    Column("target_user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE")),
    Column("content", Text, nullable=False),
    Column("image_url", Text),
    _timestamp("created_at"),
    # For messages.LIST.
    Index("messages_channel_id_idx", "channel_id", "target_user_id", "id"),
    Index("messages_sender_id_idx", "sender_id", postgresql_where=text("sender_id IS NOT NULL")),
    Index("messages_target_user_id_idx", "target_user_id", postgresql_where=text("target_user_id IS NOT NULL")),
)

# Both services write it, in the transaction of the write that it is about.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request", LargeBinary, nullable=False),
    Column("answer", JSON, nullable=False),
    _timestamp("created_at"),
    # For pruning. BRIN would be smaller, but cost each write three times as much.
    Index("idempotency_keys_created_at_idx", "created_at"),
)

# What members were told, for sockets that resume. The id is taken in the transaction of what the event is about, so ids
# are not in the order of commits: see live/log.py. A message is not repeated here.
events = Table(
    "events",
    metadata,
    _id(),
    Column("channel_id", BigInteger),
    Column("user_ids", ARRAY(BigInteger)),
    Column("message_id", BigInteger),
    Column("key", Text),
    Column("frame", JSON),
    Column("told_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("message_id IS NULL OR frame IS NULL", name="content"),
)

stack_events = Table(
    "stack_events",
    metadata,
    _id(),
    Column("stack_id", Text, nullable=False),
    Column("component", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("detail", Text),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)
