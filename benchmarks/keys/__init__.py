"""What an `Idempotency-Key` costs, on each route that takes one."""
