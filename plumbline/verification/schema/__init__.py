"""The declared schema of both migration chains, and the comparison of a running database with it."""
