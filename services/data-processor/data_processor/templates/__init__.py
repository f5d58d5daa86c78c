"""Templates: named sets of labels, each with its place on a page and the format that is expected there."""
