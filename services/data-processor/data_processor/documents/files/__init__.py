"""Checking uploaded files by their content."""
