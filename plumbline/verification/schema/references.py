"""Finds foreign keys without an index: deleting a referenced row would read the whole table that refers to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.rows import tuple_row

# An index serves if its first columns are those of the key. Postgres looks for equal values, of which none is null: a
# partial index serves only if all that it leaves out is null in a column of the key.
_WITHOUT_INDEX = """
SELECT c.conrelid::regclass::text, c.conname, named.columns, c.confrelid::regclass::text
FROM pg_constraint c
JOIN LATERAL (
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.position) AS columns,
           array_agg('(' || quote_ident(a.attname) || ' IS NOT NULL)') AS conditions
    FROM unnest(c.conkey) WITH ORDINALITY AS k (number, position)
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
) named ON true
WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace AND NOT EXISTS (
    SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    WHERE i.indrelid = c.conrelid AND m.amname = 'btree' AND i.indisvalid AND i.indnkeyatts >= cardinality(c.conkey)
      AND c.conkey @> (i.indkey::smallint[])[0:cardinality(c.conkey) - 1]
      AND (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey
      AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = ANY (named.conditions))
)
ORDER BY 1, 2
"""


def without_index(database: psycopg.Connection[Any]) -> Iterator[str]:
    """Name every foreign key whose cascade would have to read the whole table."""
    with database.cursor(row_factory=tuple_row) as cursor:
        for table, name, columns, target in cursor.execute(_WITHOUT_INDEX).fetchall():
            yield (
                f"table {table}: foreign key {name} has no index on ({columns}); "
                f"deleting a row of {target} reads the whole of {table}"
            )
