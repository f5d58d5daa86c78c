"""The report of a nox run: one page, JUnit XML and JSON. Sessions append to a record, from which all three are made.

nox imports this package in its own environment: it needs the standard library, Jinja and servicekit's redaction alone.
"""
