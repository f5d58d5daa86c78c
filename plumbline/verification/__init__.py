"""Proves a running deployment true. Imports the deployer; the deployer imports nothing of it."""
