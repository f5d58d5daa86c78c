"""Facts about the services for lint, docs and benchmarks. `facts` runs one script for each, in its own process."""
