"""Health: the process is alive, the database answers, and its schema is that of this release."""
