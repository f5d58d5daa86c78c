"""Applying a template to a document: finding its pages again, reading the values of its labels, storing them."""
