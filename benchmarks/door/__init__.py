"""The front door beside a bare proxy."""
