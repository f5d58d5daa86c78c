"""Scans in PDFs are read as well as scans in files of pictures."""

from __future__ import annotations

import pytest
from data_processor.documents.files import page_reading, pdf
from data_processor.documents.files.page_reading import Wanted
from data_processor_testkit import samples
from data_processor_testkit import scans as pages

POINTS_PER_INCH = 72


@pytest.mark.parametrize("dpi", [75, 200, 600])
def test_a_scan_in_a_pdf_has_the_resolution_of_its_scanner(dpi: int) -> None:
    with pdf.opened(pages.scanned_pdf(pages.page().picture, dpi=dpi)) as document:
        assert document.scan_dpi(1) == pytest.approx(dpi, rel=0.01)


def test_a_page_that_is_drawn_has_no_resolution() -> None:
    with pdf.opened(samples.pdf()) as document:
        assert document.scan_dpi(1) is None


def test_speckle_of_a_scan_in_a_pdf_is_removed() -> None:
    page, dpi = pages.page(), 200
    width, height = (side * POINTS_PER_INCH / dpi for side in page.picture.size)
    data = pages.scanned_pdf(pages.speckled(page.picture), dpi=dpi)

    found = page_reading.read(data, "application/pdf", Wanted(1, width, height, 10_000), 10**8)

    assert [word["text"] for word in found["words"]] == pages.WORDS
    centres = {
        word["text"]: ((x + w / 2) * dpi / POINTS_PER_INCH, (y + h / 2) * dpi / POINTS_PER_INCH)
        for word in found["words"]
        for x, y, w, h in [word["box"]]
    }
    pages.require_near(centres, page.centres, 4.0)
