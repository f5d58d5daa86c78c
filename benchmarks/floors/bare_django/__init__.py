"""The data-processor's floor: Django's `.values()` and orjson on granian (WSGI), two processes, four threads each.

The models say what the tables are and cost nothing; connections are kept, so that no request waits for a pool.
"""
