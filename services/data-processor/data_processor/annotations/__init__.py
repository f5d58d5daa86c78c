"""Annotations: boxes with a meaning on the pages of a document."""
