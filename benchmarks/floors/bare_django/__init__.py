"""The data-processor's floor: Django's `.values()` and orjson on granian (WSGI), four threads a process.

The models describe the tables and cost nothing; connections are kept, so that no request waits for a pool.
"""
