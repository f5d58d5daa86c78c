"""Calls of the contract that this release does not carry out: they are answered 501, not as unknown addresses.

What they need (documents, templates) is stored and listed already.
"""

from __future__ import annotations

from typing import NoReturn

from servicekit.codes import Code

from data_processor.web.auth import Caller
from data_processor.web.errors import NotImplementedYetError
from data_processor.web.operations import operation


@operation(refuses=(Code.NOT_IMPLEMENTED,), answers={})
def apply_template(caller: Caller, document_id: int) -> NoReturn:
    """Apply a template to a document. Not in this release: answers 501."""
    raise NotImplementedYetError("templates are stored and not yet applied")


@operation(refuses=(Code.NOT_IMPLEMENTED,), answers={})
def document_export(caller: Caller, document_id: int) -> NoReturn:
    """Export a document's values. Not in this release: answers 501."""
    raise NotImplementedYetError("documents are stored and not yet exported; their annotations can be read")


@operation(refuses=(Code.NOT_IMPLEMENTED,), answers={})
def batch_create(caller: Caller) -> NoReturn:
    """Start a job over documents. Not in this release, which has no worker: answers 501."""
    raise NotImplementedYetError("there is no worker yet that would carry out a job")


@operation(refuses=(Code.NOT_IMPLEMENTED,), answers={})
def batch_export(caller: Caller, batch_id: int) -> NoReturn:
    """Export the values of a job's documents. Not in this release: answers 501."""
    raise NotImplementedYetError("jobs are not yet carried out or exported")
