"""Checks of the Kubernetes manifests that no schema makes, and that need no cluster."""
