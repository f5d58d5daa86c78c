"""Calls of the contract that this release does not implement: they get a 501, not a 404.

Their data (documents, templates) can already be stored and listed.
"""

from __future__ import annotations

from typing import NoReturn

from servicekit.codes import Code

from data_processor.web.auth import Caller
from data_processor.web.errors import NotImplementedYetError
from data_processor.web.operations import operation


@operation(refuses=(Code.NOT_IMPLEMENTED,), answers={})
def document_export(caller: Caller, document_id: int) -> NoReturn:
    """Export a document's values. Not in this release: answers 501."""
    raise NotImplementedYetError("documents are stored but not yet exported; their annotations can be read")


@operation(refuses=(Code.NOT_IMPLEMENTED,), answers={})
def batch_export(caller: Caller, batch_id: int) -> NoReturn:
    """Export the values of a job's documents. Not in this release: answers 501."""
    raise NotImplementedYetError("jobs are not yet run or exported")
