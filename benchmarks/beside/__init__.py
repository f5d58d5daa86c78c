"""The services of this checkout beside those of another one."""
