"""The floor of applying a template: the statements of each run once more, in bare psycopg.

`python -m benchmarks.floors.bare_apply USER TEMPLATE DOCUMENT ...`, in the environment of the data-processor. It prints
the number of runs and the seconds. The documents have no annotations before.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg

_Statements = list[tuple[str, Any]]


def main(user_id: int, template_id: int, document_ids: list[int]) -> None:
    """Apply the template, forget what that made, and run the same statements again, each run in one transaction."""
    from data_processor import config, process

    process.configure(forward=False)
    from data_processor.applying.services import template_apply
    from data_processor.database import statements

    runs: list[_Statements] = []

    def recording(run: Callable[..., Any]) -> Callable[..., Any]:
        def record(sql: str, parameters: Any, *rest: Any) -> Any:
            runs[-1].append((sql, parameters))
            return run(sql, parameters, *rest)

        return record

    statements.rows, statements.row = recording(statements.rows), recording(statements.row)
    for document_id in document_ids:
        runs.append([])
        template_apply(document_id=document_id, template_id=template_id, user_id=user_id)
    with psycopg.connect(config.current().conninfo("benchmark"), autocommit=True) as db:
        db.execute("DELETE FROM annotations WHERE document_id = ANY(%s)", (document_ids,))
        begun = time.monotonic()
        for run in runs:
            with db.transaction():
                for sql, parameters in run:
                    db.execute(sql, parameters).fetchall()
        seconds = time.monotonic() - begun
    print(json.dumps({"rows": len(runs), "seconds": seconds}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [int(document) for document in sys.argv[3:]])
