"""Writes docs/generated/ from settings, plan, command line, tables, routes and requirements."""
