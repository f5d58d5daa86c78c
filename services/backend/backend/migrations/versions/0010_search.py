"""Index the names of private channels, for the search of users with many of them."""

from __future__ import annotations

from alembic import op

revision = "0010_search"
down_revision = "0009_keys_by_time"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not CONCURRENTLY: all migrations and their record are one transaction. Reading goes on meanwhile; creating and
    # renaming channels waits about a second for each million private channels.
    op.execute(
        """
        CREATE INDEX channels_private_name_idx
        ON channels ((ltrim(lower(name) COLLATE "C", '#')), id) WHERE type = 'private'
        """
    )


def downgrade() -> None:
    op.drop_index("channels_private_name_idx", "channels")
