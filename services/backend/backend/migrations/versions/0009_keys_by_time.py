"""Find keys that are too old by an index that costs each write less than a summary of ranges does."""

from __future__ import annotations

from alembic import op

revision = "0009_keys_by_time"
down_revision = "0008_events"
branch_labels = None
depends_on = None

_INDEX, _TABLE = "idempotency_keys_created_at_idx", "idempotency_keys"


def upgrade() -> None:
    op.drop_index(_INDEX, _TABLE)
    op.create_index(_INDEX, _TABLE, ["created_at"])


def downgrade() -> None:
    op.drop_index(_INDEX, _TABLE)
    op.create_index(_INDEX, _TABLE, ["created_at"], postgresql_using="brin")
