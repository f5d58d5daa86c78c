"""The release before Postgres: chat in SQLite, documents in the memory of one process. Frozen."""
