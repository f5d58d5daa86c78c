"""The child that decodes, under its limits: large pictures fit, and damaged files are taken or refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from data_processor.config import DataProcessorSettings
from data_processor.documents.files import decoder
from data_processor.documents.files.broken import BrokenFileError
from data_processor_testkit import people_files, samples
from PIL import Image

FILES = {
    "png": (
        "image/png",
        people_files.saved(people_files.gradient(), "PNG", icc_profile=people_files.swapped_profile()),
    ),
    "jpeg": ("image/jpeg", people_files.saved(people_files.gradient(), "JPEG", progressive=True)),
    "webp": ("image/webp", people_files.saved(people_files.gradient(), "WEBP")),
    "heic": ("image/heic", people_files.heic()),
    "tiff-fax": ("image/tiff", people_files.tiff([people_files.page(1), people_files.page(2)], compression="group4")),
    "tiff-lzw": ("image/tiff", people_files.tiff([people_files.gradient()], compression="tiff_lzw")),
    "tiff-jpeg": ("image/tiff", people_files.tiff([people_files.gradient()], compression="jpeg")),
    "pdf": ("application/pdf", samples.pdf()),
    "pdf-form": ("application/pdf", people_files.form()),
    "pdf-packed": ("application/pdf", people_files.compressed_pdf("/MediaBox [0 0 90 90] /UserUnit 2")),
}
ROUNDS = 12


def damaged(data: bytes, seed: int) -> bytes:
    """Return the file cut, with some bytes changed, or with a part repeated or left out."""
    chance = random.Random(seed)
    out = bytearray(data)
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(len(out))
        out[at] = chance.choice((0, 255, out[at] ^ (1 << chance.randrange(8)), chance.randrange(256)))
    start, end = sorted(chance.randrange(len(out)) for _ in range(2))
    kind = seed % 4
    if kind == 1:
        return bytes(out[:end])
    if kind == 2:
        return bytes(out[:start] + out[end:])
    return bytes(out[:end] + out[start:] if kind == 3 else out)


@pytest.fixture(scope="module")
def child() -> Iterator[decoder._Decoder]:
    decoding = decoder._Decoder()
    yield decoding
    decoding._end()


def refusal(child: decoder._Decoder, task: str, media_type: str, data: bytes) -> BrokenFileError | None:
    most = DataProcessorSettings.model_fields["image_max_pixels"].default
    request = {"task": task, "media_type": media_type, "timeout_s": 60, "max_pixels": most, "max_pages": 50}
    try:
        child.run(request, data, 60)
    except BrokenFileError as error:
        return error
    return None


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_taken_or_refused(child: decoder._Decoder, name: str) -> None:
    media_type, data = FILES[name]
    assert refusal(child, "inspect", media_type, data) is None
    for seed in range(ROUNDS):
        for task in ("inspect", "shrink"):
            refused = refusal(child, task, media_type, damaged(data, seed))
            # The child ends with 1 for an exception that no refusal covers.
            assert refused is None or refused.cause != "the decoder ended with 1", f"{task}, seed {seed}"


A3_AT_600_DPI = (9921, 7016)
LARGE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a phone's photo of 48 megapixels": ("image/jpeg", lambda: samples.image("JPEG", (8064, 6048))),
    "A3 at 600 dpi, by fax": (
        "image/tiff",
        lambda: people_files.tiff([Image.new("1", A3_AT_600_DPI)], compression="group4"),
    ),
    "A3 at 600 dpi, in colour": ("image/png", lambda: samples.image("PNG", A3_AT_600_DPI, compress_level=1)),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_pictures_fit_into_the_childs_memory(child: decoder._Decoder, name: str) -> None:
    media_type, make = LARGE[name]
    data = make()
    for task in ("inspect", "shrink"):
        assert refusal(child, task, media_type, data) is None
