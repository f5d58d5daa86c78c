"""Django's PostgreSQL backend with two changes: Postgres carries out `on_delete`, and dead connections are noticed."""
