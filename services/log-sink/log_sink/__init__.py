"""The recorder: takes log entries in from Caddy, keeps the newest in Redis, shows them to operators."""
