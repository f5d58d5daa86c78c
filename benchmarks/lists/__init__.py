"""The cost of a page in a small table and in a large one, with the plan of Postgres."""
