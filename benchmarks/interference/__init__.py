"""What trouble with the recorder costs requests."""
