"""Django's PostgreSQL backend with two differences: references end in the database, and dead connections are noticed."""
