"""Templates: named sets of labels, each with its position on a page and the expected format."""
