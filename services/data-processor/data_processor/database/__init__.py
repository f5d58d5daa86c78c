"""Django's PostgreSQL backend, but for two things: Postgres acts on deletions, and dead connections are noticed."""
