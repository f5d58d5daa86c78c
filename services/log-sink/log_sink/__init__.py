"""The recorder: receives log entries through Caddy, keeps the newest in Redis, shows them to operators."""
