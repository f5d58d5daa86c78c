"""How Postgres plans the statements of services."""

from __future__ import annotations

OPTIONS = "-c enable_seqscan=off -c random_page_cost=1.1 -c jit=off"
"""Options of every connection of a service.

A connection keeps its plans, also those of foreign keys, until the next ANALYZE of a table. In a table of one page a
sequential scan costs least; the kept plan then reads a table that has grown meanwhile, row by row. Every statement has
an index, so sequential scans are left to statements that have none. Pages are cached or on a solid-state disk, so one
costs about as much as the next. Compiling takes longer than any of the statements, and the cost that Postgres adds for
a scan it was told to avoid would start it.
"""
