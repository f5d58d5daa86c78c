"""Every SQL statement of the backend. A test prepares each of them against a migrated schema."""
