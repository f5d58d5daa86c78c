"""Django's PostgreSQL backend with two changes: Postgres executes `on_delete`, and dead connections are detected."""
