"""How many documents of a batch job workers process in a second."""
