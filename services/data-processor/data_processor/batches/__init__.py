"""Batch jobs: one template, many documents, and the outcome of each."""
