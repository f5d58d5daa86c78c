"""What lint, docs and benchmarks ask the code. `facts` runs one script a service, in a process of its own."""
