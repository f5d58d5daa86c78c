"""Every kind of job that this release knows. Worker processes import this module."""

from __future__ import annotations

from data_processor.batches.running import item_give_up, item_run
from data_processor.jobs.deferring import ITEM, READING
from data_processor.jobs.tasks import KINDS, Kind
from data_processor.reading import services as reading

KINDS.add(READING, Kind(reading.document_read, reading.document_give_up))
KINDS.add(ITEM, Kind(item_run, item_give_up))
