"""Health: the process lives, the database answers, and its schema is the one of this code."""
