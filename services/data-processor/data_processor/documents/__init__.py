"""Documents: taken by their content, kept in Postgres beside their row, served with ETag and range."""
