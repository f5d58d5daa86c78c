"""A cluster of three nodes on this machine, for what one node cannot show. Needs root."""
