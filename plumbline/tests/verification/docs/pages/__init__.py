"""Checks of what people write on pages: commands, numbers, names and links. `nox -s docs` runs them, too."""
