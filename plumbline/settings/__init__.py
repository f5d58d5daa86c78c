"""The settings of a stack: `settings.env` in its home, checked and handed on to whatever reads each of them."""
