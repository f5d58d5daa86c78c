"""Verifies running stacks, manifests and docs. It imports the deployer, never the other way round."""
