"""Routes of exports."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from servicekit.codes import Code

from data_processor import access
from data_processor.documents import serving
from data_processor.exports import download, selectors
from data_processor.exports.as_json import Export
from data_processor.exports.options import AfterQuery, BeforeQuery, ExportOptions, ExportQuery
from data_processor.exports.writers import WRITERS
from data_processor.web.auth import Caller
from data_processor.web.operations import operation
from data_processor.web.pages import ChannelQuery
from data_processor.web.slow_lane import REFUSALS as SLOW_LANE_REFUSALS

_BODIES: dict[str, Any] = {writer.media_type: None for writer in WRITERS.values()} | {"application/json": Export}
_WHOLE = {200: _BODIES}
_PARTS = {200: _BODIES, 206: dict.fromkeys(_BODIES), 304: {}}
_REFUSES = (*SLOW_LANE_REFUSALS, Code.TOO_MUCH_AT_ONCE)


@operation(refuses=(*access.refusals(Code.NO_SUCH_DOCUMENT), *_REFUSES), answers=_WHOLE)
def document_export(caller: Caller, request: HttpRequest, document_id: int, body: ExportOptions) -> HttpResponseBase:
    """Export the values of a document as JSON, CSV or SQL."""
    return download.send(request, body, lambda: selectors.of_document(document_id=document_id, user_id=caller.user_id))


@operation(refuses=(*access.refusals(Code.NO_SUCH_BATCH_JOB), *_REFUSES), answers=_PARTS)
def batch_export(caller: Caller, request: serving.FileRequest, options: ExportQuery, batch_id: int) -> HttpResponseBase:
    """Export the values of a job's documents as JSON, CSV or SQL, in the job's order."""
    return download.send(request, options, lambda: selectors.of_batch(batch_id=batch_id, user_id=caller.user_id))


@operation(refuses=(*access.CHANNEL_REFUSALS, *_REFUSES), answers=_PARTS)
def channel_export(
    caller: Caller,
    request: serving.FileRequest,
    channel_id: ChannelQuery,
    after: AfterQuery,
    before: BeforeQuery,
    options: ExportQuery,
) -> HttpResponseBase:
    """Export the values of a channel's documents as JSON, CSV or SQL, oldest first."""
    return download.send(
        request,
        options,
        lambda: selectors.of_channel(channel_id=channel_id, user_id=caller.user_id, after=after, before=before),
    )
