"""The floor of exports: the same statements in bare psycopg, whose rows are only counted.

`python -m benchmarks.floors.bare_export CHANNEL`, in the environment of the data-processor; it prints rows and seconds.
"""

from __future__ import annotations

import json
import sys
import time

import psycopg
from psycopg.rows import dict_row


def main(channel_id: int) -> None:
    """Read the values of a channel as an export reads them."""
    from data_processor import config
    from data_processor.exports import selectors

    scope: dict[str, object] = {"channel_id": channel_id, "after": 0, "before": 2**63 - 1}
    count = 0
    with psycopg.connect(config.current().conninfo("benchmark"), row_factory=dict_row) as db:
        db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        begun = time.monotonic()
        place, more = 0, True
        while more:
            at_a_time = {"place": place, "limit": selectors.DOCUMENTS_AT_A_TIME}
            documents = db.execute(selectors.OF_CHANNEL, scope | at_a_time).fetchall()
            ids = [row["document_id"] for row in documents]
            number, value_id, of_these = 1, 0, bool(ids)
            while of_these:
                values = db.execute(
                    selectors.VALUES,
                    {"document_ids": ids, "validated_only": False, "limit": selectors.VALUES_AT_A_TIME,
                     "number": number, "value_id": value_id},
                ).fetchall()  # fmt: skip
                count += len(values)
                of_these = len(values) == selectors.VALUES_AT_A_TIME
                if of_these:
                    number, value_id = values[-1]["number"], values[-1]["value_id"]
            more = len(documents) == selectors.DOCUMENTS_AT_A_TIME
            place = documents[-1]["place"] if documents else 0
        seconds = time.monotonic() - begun
    print(json.dumps({"rows": count, "seconds": seconds}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
