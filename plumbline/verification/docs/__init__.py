"""Writes docs/generated/ from the settings, the plan, the command line, the tables, the routes and the requirements."""
