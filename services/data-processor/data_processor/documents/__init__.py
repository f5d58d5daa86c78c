"""Documents: accepted by their content, stored in Postgres, served with ETag and ranges."""
