"""The foundation: users, channels, memberships, messages, stack events."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001_foundation"
down_revision = None
branch_labels = None
depends_on = None


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def _moment(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def upgrade() -> None:
    op.create_table(
        "users",
        _id(),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("is_operator", sa.Boolean, nullable=False, server_default=sa.text("false")),
        _moment("created_at"),
    )
    op.execute("""CREATE UNIQUE INDEX users_username_key ON users ((lower(username COLLATE "C")))""")

    op.create_table(
        "channels",
        _id(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("direct_key", sa.Text, unique=True),
        sa.Column("created_by", sa.BigInteger, sa.ForeignKey("users.id", ondelete="SET NULL")),
        _moment("created_at"),
        sa.CheckConstraint("type IN ('public', 'private')", name="channels_type_check"),
        sa.CheckConstraint("direct_key IS NULL OR type = 'private'", name="channels_direct_check"),
    )
    op.execute(
        """
        CREATE UNIQUE INDEX channels_public_name_key
        ON channels ((ltrim(lower(name) COLLATE "C", '#'))) WHERE type = 'public'
        """
    )
    op.create_index("channels_public_id_idx", "channels", ["id"], postgresql_where=sa.text("type = 'public'"))

    op.create_table(
        "memberships",
        sa.Column("channel_id", sa.BigInteger, sa.ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        _moment("joined_at"),
    )
    op.create_index("memberships_user_id_idx", "memberships", ["user_id", "channel_id"])

    op.create_table(
        "messages",
        _id(),
        sa.Column("channel_id", sa.BigInteger, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
        sa.Column("sender_id", sa.BigInteger, sa.ForeignKey("users.id")),
        sa.Column("target_user_id", sa.BigInteger, sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("image_url", sa.Text),
        _moment("created_at"),
    )
    op.create_index(
        "messages_shared_idx", "messages", ["channel_id", "id"], postgresql_where=sa.text("target_user_id IS NULL")
    )
    op.create_index(
        "messages_personal_idx",
        "messages",
        ["channel_id", "target_user_id", "id"],
        postgresql_where=sa.text("target_user_id IS NOT NULL"),
    )

    op.create_table(
        "stack_events",
        _id(),
        sa.Column("stack_id", sa.Text, nullable=False),
        sa.Column("component", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
    )


def downgrade() -> None:
    for table in ("stack_events", "messages", "memberships", "channels", "users"):
        op.drop_table(table)
