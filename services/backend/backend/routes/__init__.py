"""The addresses of the backend, one module a subject."""
