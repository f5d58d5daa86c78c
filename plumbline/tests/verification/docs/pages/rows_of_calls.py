"""Numbers of docs/calls.md, and what each is in the product."""

from __future__ import annotations

from tests.data import scans

from .rows import KIT, PROCESSOR, Row
from .values import constant, of, setting, written

_PAGE = "docs/calls.md"
_FILES, _APPLYING, _READING = (f"{PROCESSOR}/{name}" for name in ("documents/files", "applying", "reading"))
_PICTURE = f"{_FILES}/page_picture.py"
ROWS: list[Row] = [
    (_PAGE, "of your choice ({} to {} visible ASCII", of(1, "a key"), constant(f"{KIT}/repeats.py", "KEY_MAX")),
    (_PAGE, "and is kept for {} hours", constant(f"{KIT}/repeats.py", "KEPT_H")),
    (_PAGE, "accepted, up to {} MiB", setting("data-processor", "PLUMBLINE_UPLOAD_MAX_BYTES").per(1 << 20)),
    (_PAGE, "may have {} million pixels", setting("data-processor", "PLUMBLINE_IMAGE_MAX_PIXELS").per(10**6)),
    (_PAGE, "page may have {} to {} points", of(1, "a side"), constant(f"{_FILES}/sheet.py", "SIDE_MAX")),
    (_PAGE, "as WebP, {} to {} pixels", of(1, "a width"), constant(_PICTURE, "WIDTH_MAX")),
    (_PAGE, "pixels wide (default {})", constant(_PICTURE, "WIDTH")),
    (_PAGE, "lies askew (up to {}°)", constant(f"{_FILES}/scans.py", "_SKEW_MAX")),
    (_PAGE, "Up to {} doubtful words", constant(f"{_FILES}/second_look.py", "_WORDS_MAX")),
    (
        _PAGE,
        "cut at {} characters of a page and {} of a document",
        constant(f"{_READING}/services.py", "_PAGE_CHARS_MAX"),
        setting("data-processor", "PLUMBLINE_TEXT_MAX_CHARS"),
    ),
    (_PAGE, "applies a template to up to {} documents", constant(f"{PROCESSOR}/batches/apis.py", "DOCUMENTS_MAX")),
    (_PAGE, "is tried {} times, with pauses", constant(f"{PROCESSOR}/jobs/retries.py", "TRIES_MAX")),
    (_PAGE, "kills its worker {} times is", constant(f"{PROCESSOR}/jobs/retries.py", "TRIES_MAX")),
    (_PAGE, "more than {} repetitions", written(f"{PROCESSOR}/templates/formats.py", r"repetitions are (\d+)")),
    (_PAGE, "(at most {}) are stored with the template", constant(f"{PROCESSOR}/templates/sources.py", "PAGES_MAX")),
    (
        _PAGE,
        "scaled ({} to {}) and turned ({}° to either side",
        written(f"{_APPLYING}/registration.py", r"_SCALES = \((.+), .+\)"),
        written(f"{_APPLYING}/registration.py", r"_SCALES = \(.+, (.+)\)"),
        of(scans.TURN_MAX, "TURN_MAX in tests/data/scans.py, which nox -s accuracy measures"),
    ),
    (_PAGE, "cannot be prepared in {} s", constant(f"{PROCESSOR}/exports/download.py", "_MEASURE_S")),
    (
        _PAGE,
        "has the first {} lines (`id, type, page, x, y, width, height, text, confidence`) and {} characters",
        constant(f"{_READING}/frames.py", "_REGIONS_MAX"),
        constant(f"{_READING}/frames.py", "_TEXT_MAX"),
    ),
    (
        _PAGE,
        "at most {} regions, with up to {} characters",
        constant(f"{_APPLYING}/services.py", "_REGIONS_MAX"),
        constant(f"{_APPLYING}/services.py", "_REGION_TEXT_MAX"),
    ),
    (_PAGE, "events are kept for {} hour", constant(f"{KIT}/events.py", "KEPT_MIN").per(60)),
    (
        _PAGE,
        "missed more than {}, or one that is gone",
        constant("services/backend/backend/live/resuming.py", "EVENTS_MAX"),
    ),
]
