"""The HTTP layer: authentication, bodies, pages, routing and errors."""
