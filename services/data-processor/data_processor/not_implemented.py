"""Calls of the contract that this release does not carry out yet: it says so, instead of knowing no such address.

What they need (documents, templates, jobs) is stored and listed already.
"""

from __future__ import annotations

from typing import NoReturn

from django.http import HttpRequest

from data_processor.web.auth import identify
from data_processor.web.errors import NotImplementedYetError


def apply_template(request: HttpRequest, document_id: int) -> NoReturn:
    """Apply a template to a document. Not in this release: answers 501."""
    del document_id
    identify(request)
    raise NotImplementedYetError("templates are stored and not yet applied")


def document_export(request: HttpRequest, document_id: int) -> NoReturn:
    """Export a document's values. Not in this release: answers 501."""
    del document_id
    identify(request)
    raise NotImplementedYetError("documents are stored and not yet exported; their annotations can be read")


def batch_export(request: HttpRequest, batch_id: int) -> NoReturn:
    """Export the values of a job's documents. Not in this release: answers 501."""
    del batch_id
    identify(request)
    raise NotImplementedYetError("jobs are recorded and not yet carried out or exported")
