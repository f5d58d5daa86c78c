"""What a page costs in a small table and in a large one, and how Postgres finds it."""
