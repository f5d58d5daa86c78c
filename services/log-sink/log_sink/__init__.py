"""The recorder: takes log entries in from Caddy, keeps the last 200 in Redis, shows them to operators."""
