"""Images as people have them: deep greys, colour profiles, slight damage, and pixels that are missing."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from data_processor.documents.files import colour, image
from data_processor.documents.files.broken import BrokenFileError
from data_processor_testkit import people_files
from PIL import Image, PngImagePlugin, TiffImagePlugin

LIMIT = 80_000_000
BOX = (320, 320)
WHOLE = people_files.saved(people_files.gradient(), "PNG")


def thumbnail(data: bytes, media_type: str = "image/png") -> Image.Image:
    return image.page(data, media_type, 1, LIMIT, BOX)


def damage(data: bytes, media_type: str = "image/png") -> list[str]:
    return image.measure(data, media_type, LIMIT, 10).damage


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("TIFF", "image/tiff")])
def test_deep_grey_is_scaled_not_cut_off(kind: str, media_type: str) -> None:
    shown = thumbnail(people_files.grey16(kind), media_type)

    assert shown.mode == "L"
    assert (shown.getpixel((5, 20)), shown.getpixel((60, 20))) == (15, 191)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "HEIF"])
def test_colour_profiles_are_applied(kind: str) -> None:
    options = {"quality": 95} if kind in ("JPEG", "WEBP", "HEIF") else {}
    data = people_files.saved(
        Image.new("RGB", (64, 64), (220, 30, 30)), kind, icc_profile=people_files.swapped_profile(), **options
    )
    red, green, blue = thumbnail(data, "image/heic" if kind == "HEIF" else f"image/{kind.lower()}").getpixel((30, 30))

    assert green > 200, (red, green, blue)
    assert red < 80


@pytest.mark.parametrize("profile", [b"", b"no profile", people_files.swapped_profile()[:300]])
def test_a_profile_that_cannot_be_used_is_ignored(profile: bytes) -> None:
    data = people_files.saved(Image.new("L", (64, 64), 90), "PNG", icc_profile=profile)

    assert thumbnail(data).getpixel((30, 30)) == 90


def test_cmyk_photos_of_adobe_have_their_colours() -> None:
    # Pillow writes CMYK as Adobe does, inverted. Cyan without any other ink:
    data = people_files.saved(Image.new("CMYK", (64, 64), (255, 0, 0, 0)), "JPEG", quality=95)
    assert b"Adobe" in data
    red, green, blue = thumbnail(data, "image/jpeg").getpixel((30, 30))

    assert red < 40
    assert min(green, blue) > 215


def test_transparency_stays_and_can_be_put_on_white() -> None:
    data = people_files.saved(Image.new("RGBA", (64, 64), (0, 0, 255, 0)), "PNG")
    shown = thumbnail(data)

    assert shown.mode == "RGBA"
    assert colour.on_white(shown).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize(("kind", "media_type"), [("JPEG", "image/jpeg"), ("HEIF", "image/heic")])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright(kind: str, media_type: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = people_files.saved(people_files.gradient(), kind, exif=exif.tobytes())
    (size,) = image.measure(data, media_type, LIMIT, 1).page_sizes

    assert size == ((200, 150) if orientation < 5 else (150, 200))
    assert image.page(data, media_type, 1, LIMIT).size == size


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_phones_photo_must_be_whole(share: float) -> None:
    data = people_files.heic()

    assert damage(data, "image/heic") == []
    with pytest.raises(BrokenFileError, match="truncated"):
        damage(data[: int(len(data) * share)], "image/heic")


HEAD, *REST = people_files.png_chunks(WHOLE)
DAMAGED = {
    "text with a wrong checksum": (
        people_files.png_of([HEAD, (b"tEXt", b"Comment\0hello"), *REST], wrong=b"tEXt"),
        "checksum of its tEXt chunk",
    ),
    "pixels with a wrong checksum": (
        people_files.png_of([HEAD, *REST], wrong=b"IDAT"),
        "checksum of its IDAT chunk",
    ),
    "a profile that is no profile": (people_files.png_of([HEAD, (b"iCCP", b"x\0\0xx"), *REST]), "colour profile"),
    "no end": (WHOLE[:-12], "its end is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_whole_pixels_are_taken_and_damage_is_said(name: str) -> None:
    data, sentence = DAMAGED[name]

    (said,) = damage(data)
    assert sentence in said
    assert thumbnail(data).tobytes() == thumbnail(WHOLE).tobytes()


def test_a_large_profile_and_a_large_text_are_no_damage() -> None:
    profile = people_files.swapped_profile() + bytes(3_000_000)
    large = people_files.saved(people_files.gradient(), "PNG", icc_profile=profile)
    head, *rest = people_files.png_chunks(large)
    text = (b"zTXt", b"XML\0\0" + zlib.compress(bytes(5_000_000)))

    assert damage(people_files.png_of([head, text, *rest])) == []


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("interlace", [0, 1])
def test_every_row_of_a_png_must_be_there(mode: str, interlace: int) -> None:
    size = (37, 29)
    picture = people_files.gradient(size).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = picture.convert("I;16")
    whole = people_files.saved(picture, "PNG")
    if interlace:
        whole = interlaced(whole)
    assert damage(whole) == []
    with pytest.raises(BrokenFileError, match="truncated"):
        damage(people_files.half_png(whole))
    with pytest.raises(BrokenFileError, match="truncated"):
        damage(whole[: len(whole) * 2 // 3])


@pytest.mark.parametrize("interlace", [0, 1])
def test_a_row_that_cannot_be_decoded_is_no_row(interlace: int) -> None:
    whole = people_files.saved(people_files.gradient((700, 600)), "PNG")
    chunks = dict(people_files.png_chunks(interlaced(whole) if interlace else whole))
    rows = bytearray(zlib.decompress(chunks[b"IDAT"]))
    rows[-700 * 3 - 1] = 5  # the filter of the last row, in the second piece that is decompressed
    wrong = people_files.png_of([*list(chunks.items())[:-2], (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b"")])

    with pytest.raises(BrokenFileError, match="unknown filter"):
        damage(wrong)


def test_the_pixels_of_a_png_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_image: object) -> None:
        raise AssertionError("Pillow decodes what was decompressed")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)

    assert damage(WHOLE) == []


PALETTE = people_files.saved(people_files.gradient().convert("P"), "PNG")


@pytest.mark.parametrize("length", [None, 0, 4, 3 * 257])
def test_a_png_of_palette_colours_needs_a_palette(length: int | None) -> None:
    chunks = dict(people_files.png_chunks(PALETTE))
    del chunks[b"PLTE"]
    head, *rest = chunks.items()
    palette = [] if length is None else [(b"PLTE", bytes(length))]

    with pytest.raises(BrokenFileError, match="palette"):
        damage(people_files.png_of([head, *palette, *rest]))


def test_what_comes_after_the_pixels_of_a_png_is_as_in_viewers() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    *before, end = people_files.png_chunks(WHOLE)
    late = [(b"tRNS", bytes(6)), (b"eXIf", exif.tobytes()[6:])]

    data = people_files.png_of([*before, *late, end])

    assert image.measure(data, "image/png", LIMIT, 1).page_sizes == [(150, 200)]
    assert (thumbnail(data).mode, thumbnail(data).size) == ("RGB", (150, 200))


def test_the_first_header_of_a_png_counts() -> None:
    head, *rest = people_files.png_chunks(WHOLE)
    other = struct.pack(">II", 10_000, 10_000) + head[1][8:]

    data = people_files.png_of([head, (b"IHDR", other), *rest])

    assert image.measure(data, "image/png", LIMIT, 1).page_sizes == [(200, 150)]


PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def interlaced(data: bytes) -> bytes:
    """Return a black picture of the same size and kind, interlaced."""
    chunks = dict(people_files.png_chunks(data))
    width, height, depth, kind, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    rows = 0
    for left, top, across, down in PASSES:
        columns = len(range(left, width, across))
        rows += len(range(top, height, down)) * (1 + (columns * bits + 7) // 8) if columns else 0
    header = (b"IHDR", chunks[b"IHDR"][:-1] + b"\1")
    palette = [(b"PLTE", chunks[b"PLTE"])] if b"PLTE" in chunks else []
    return people_files.png_of([header, *palette, (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b"")])


JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "with restarts": {"restart_marker_rows": 1},
    "grey": {},
    "with a thumbnail inside": {"exif": b"Exif\0\0" + people_files.saved(people_files.gradient((16, 16)), "JPEG")},
}


@pytest.mark.parametrize("name", JPEGS)
def test_every_row_of_a_jpeg_must_be_there(name: str) -> None:
    picture = people_files.gradient((400, 300)).convert("L" if name == "grey" else "RGB")
    whole = people_files.saved(picture, "JPEG", quality=90, **JPEGS[name])
    assert damage(whole, "image/jpeg") == []
    assert damage(whole + b"trailing notes of a camera", "image/jpeg") == []
    with pytest.raises(BrokenFileError, match="truncated"):
        damage(whole[: len(whole) * 2 // 3], "image/jpeg")
    with pytest.raises(BrokenFileError, match="truncated"):
        damage(whole[: len(whole) * 2 // 3] + b"\xff\xd9", "image/jpeg")


def test_a_jpeg_whose_end_marker_alone_is_missing_is_taken() -> None:
    whole = people_files.saved(people_files.gradient(), "JPEG")

    assert damage(whole[:-2], "image/jpeg") == ["its end is missing"]
    assert thumbnail(whole[:-2], "image/jpeg").tobytes() == thumbnail(whole, "image/jpeg").tobytes()


def test_the_first_of_a_cameras_pictures_is_the_image() -> None:
    data = people_files.saved(people_files.gradient(), "MPO", save_all=True, append_images=[Image.new("RGB", (20, 10))])

    assert image.measure(data, "image/jpeg", LIMIT, 1) == ([(200, 150)], [])
    assert thumbnail(data, "image/jpeg").size == (200, 150)


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}])
def test_every_row_of_a_webp_must_be_there(options: dict[str, object]) -> None:
    whole = people_files.saved(people_files.gradient((400, 300)), "WEBP", **options)
    assert damage(whole, "image/webp") == []
    half = whole[: len(whole) // 2 // 2 * 2]
    sized = half[:4] + struct.pack("<I", len(half) - 8) + half[8:16] + struct.pack("<I", len(half) - 20) + half[20:]
    for cut in (half, sized):
        with pytest.raises(BrokenFileError, match="truncated"):
            damage(cut, "image/webp")


SCANS = {
    "group4": {"compression": "group4"},
    "group3": {"compression": "group3"},
    "lzw": {"compression": "tiff_lzw"},
    "deflate": {"compression": "tiff_adobe_deflate"},
    "packbits": {"compression": "packbits"},
    "raw": {},
    "jpeg": {"compression": "jpeg"},
}


@pytest.mark.parametrize("name", SCANS)
def test_scans_of_several_pages_have_a_size_for_each(name: str) -> None:
    mode = "RGB" if name == "jpeg" else "1"
    pages = [people_files.page(1, mode=mode), people_files.page(2, (200, 500), mode), people_files.page(3, mode=mode)]
    data = people_files.tiff(pages, **SCANS[name])

    assert image.measure(data, "image/tiff", LIMIT, 10) == ([(400, 300), (200, 500), (400, 300)], [])
    for number, page in enumerate(pages, 1):
        shown = image.page(data, "image/tiff", number, LIMIT)
        assert (shown.size, shown.mode) == (page.size, "RGB" if name == "jpeg" else "L")
        if name != "jpeg":
            assert shown.tobytes() == page.convert("L").tobytes()
    with pytest.raises(BrokenFileError, match="page 4"):
        image.page(data, "image/tiff", 4, LIMIT)
    with pytest.raises(BrokenFileError, match="more pages"):
        image.measure(data, "image/tiff", LIMIT, 2)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(BrokenFileError):
            image.measure(data[: int(len(data) * share)], "image/tiff", LIMIT, 10)


def test_previews_within_a_tiff_are_no_pages() -> None:
    preview = people_files.page(9, (40, 30))
    out = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(out, new=True) as writer:
        for page, kind in ((preview, 1), (people_files.page(1), 0), (people_files.page(2), 2)):
            page.save(writer, "TIFF", tiffinfo={254: kind})
            writer.newFrame()
    assert image.measure(out.getvalue(), "image/tiff", LIMIT, 10).page_sizes == [(400, 300)] * 2


def test_a_tiff_may_have_no_page_over_the_limit() -> None:
    data = people_files.tiff([people_files.page(1), people_files.page(2, (3000, 3000))])

    with pytest.raises(BrokenFileError, match="3000 x 3000 pixels"):
        image.measure(data, "image/tiff", 8_000_000, 10)
