"""Every model of the service, for Django to find."""

from __future__ import annotations

from data_processor.annotations.models import Annotation
from data_processor.backend_tables import Channel, Membership, User
from data_processor.batches.models import BatchItem, BatchJob
from data_processor.documents.models import Document, DocumentContent
from data_processor.reading.models import PageText
from data_processor.templates.models import Template, TemplateAnchors, TemplateLabel

__all__ = [
    "Annotation",
    "BatchItem",
    "BatchJob",
    "Channel",
    "Document",
    "DocumentContent",
    "Membership",
    "PageText",
    "Template",
    "TemplateAnchors",
    "TemplateLabel",
    "User",
]
