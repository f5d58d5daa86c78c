"""Exports: the values of a document, of a job's documents or of a channel's, as JSON, CSV or SQL."""
