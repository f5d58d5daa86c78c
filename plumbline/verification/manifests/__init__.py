"""Checks of the Kubernetes manifests. They need no cluster."""
