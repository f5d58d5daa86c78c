"""Store what members are told, so that a socket can resume after an event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_events"
down_revision = "0007_sessions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("channel_id", sa.BigInteger),
        sa.Column("user_ids", sa.ARRAY(sa.BigInteger)),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("key", sa.Text),
        sa.Column("frame", sa.JSON),
        sa.Column("told_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="events_pkey"),
        sa.CheckConstraint("message_id IS NULL OR frame IS NULL", name=op.f("events_content_check")),
    )
    # From the clock, so that no id comes back if the table is dropped and made again: a client may resume after it.
    op.execute("SELECT setval(pg_get_serial_sequence('events', 'id'), (extract(epoch FROM now()) * 1000)::bigint)")


def downgrade() -> None:
    op.drop_table("events")
