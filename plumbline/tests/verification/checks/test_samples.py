"""The samples, read with the libraries that the data-processor uses."""

from __future__ import annotations

import io
import struct

import pypdfium2
import pytest
from PIL import Image

from plumbline.verification.checks import samples


def test_png_is_valid():
    image = Image.open(io.BytesIO(samples.png(31, 17)))
    assert (image.format, image.size, image.mode) == ("PNG", (31, 17), "RGB")
    image.load()
    assert len(image.getcolors(31 * 17)) > 100, "a gradient, so that a broken copy would show"
    Image.open(io.BytesIO(samples.png())).verify()


def test_seeds_make_different_files():
    assert len({samples.png(seed=seed) for seed in range(5)}) == 5
    assert samples.png(seed=1) == samples.png(seed=1)


def test_the_bomb_is_small_and_declares_a_huge_size(monkeypatch):
    # Other tests import the decoder, which has its own limit.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90_000_000)
    bomb = samples.png_bomb()
    assert len(bomb) < 2500
    assert struct.unpack(">II", bomb[16:24]) == (50_000, 50_000)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(bomb))


def test_pdf_is_valid():
    document = pypdfium2.PdfDocument(samples.pdf("Bill 17", 400, 250))
    try:
        assert len(document) == 1
        assert document[0].get_size() == (400, 250)
        assert document[0].get_textpage().get_text_range().strip() == "Bill 17"
        assert document[0].render().to_pil().convert("L").getextrema()[0] < 128, "the text is there to be seen"
    finally:
        document.close()


def test_the_broken_pdf_cannot_be_opened():
    broken = samples.pdf_with_broken_xref()
    assert broken.startswith(b"%PDF-1.4")
    with pytest.raises(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(broken)
