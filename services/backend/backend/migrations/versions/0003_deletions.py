"""Make channels and users deletable: messages keep existing without their sender, and foreign keys get indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_deletions"
down_revision = "0002_invites"
branch_labels = None
depends_on = None

Indexes = dict[str, tuple[str, list[str], str | None]]
"""Name to table, columns and the condition of a partial index."""

SENDER = "messages_sender_id_fkey"
INDEXES: Indexes = {
    "users_operator_idx": ("users", ["id"], "is_operator"),
    "invites_created_by_idx": ("invites", ["created_by"], "created_by IS NOT NULL"),
    "invites_used_by_idx": ("invites", ["used_by"], "used_by IS NOT NULL"),
    "channels_created_by_idx": ("channels", ["created_by"], "created_by IS NOT NULL"),
    # Replaces two partial indexes: deleting a channel needs all of its messages.
    "messages_channel_id_idx": ("messages", ["channel_id", "target_user_id", "id"], None),
    "messages_sender_id_idx": ("messages", ["sender_id"], "sender_id IS NOT NULL"),
    "messages_target_user_id_idx": ("messages", ["target_user_id"], "target_user_id IS NOT NULL"),
}
REPLACED: Indexes = {
    "messages_shared_idx": ("messages", ["channel_id", "id"], "target_user_id IS NULL"),
    "messages_personal_idx": ("messages", ["channel_id", "target_user_id", "id"], "target_user_id IS NOT NULL"),
}


def _create(indexes: Indexes) -> None:
    for name, (table, columns, condition) in indexes.items():
        op.create_index(name, table, columns, postgresql_where=None if condition is None else sa.text(condition))


def _drop(indexes: Indexes) -> None:
    for name, (table, _, _) in indexes.items():
        op.drop_index(name, table)


def upgrade() -> None:
    op.drop_constraint(SENDER, "messages")
    op.create_foreign_key(SENDER, "messages", "users", ["sender_id"], ["id"], ondelete="SET NULL")
    _create(INDEXES)
    _drop(REPLACED)


def downgrade() -> None:
    _create(REPLACED)
    _drop(INDEXES)
    op.drop_constraint(SENDER, "messages")
    op.create_foreign_key(SENDER, "messages", "users", ["sender_id"], ["id"])
