"""The least that a kind of work costs on the same server: no sessions, no checks, no errors told, nothing announced."""
