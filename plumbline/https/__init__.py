"""HTTPS at the front door: for which name, and from where its certificate comes."""
