"""What the tests of the data-processor share: files made in code, and a running service."""
