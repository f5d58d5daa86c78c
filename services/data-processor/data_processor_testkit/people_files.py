"""Files as people have them: forms, scans and photos, also slightly damaged ones that viewers open."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable

import pillow_heif
from PIL import Image, ImageCms, ImageDraw

from data_processor_testkit import samples

FIELDS = {"name": "Jane Q Doe", "city": "Tromso"}
"""The written fields of `form`."""


def form(*, need_appearances: bool = True) -> bytes:
    """Return a filled PDF form: a text field, a choice, a ticked and an empty box, a password."""
    widget = "<< /Type /Annot /Subtype /Widget /P 4 0 R /F 4 /DA (/F 12 Tf 0 g)"
    cross = "0 0 m 10 10 l 10 0 l 0 10 l S"
    sign = f"<< /Type /XObject /Subtype /Form /BBox [0 0 10 10] /Length {len(cross)} >>\nstream\n{cross}\nendstream"
    ticks = "/FT /Btn /AP << /N << /Yes 12 0 R >> >>"
    fields = [
        f"{widget} /FT /Tx /T (name) /V (Jane Q Doe) /Rect [10 50 150 70] >>",
        f"{widget} /FT /Ch /Ff 131072 /T (city) /V (Tromso) /Opt [(Oslo) (Tromso)] /Rect [60 20 150 38] >>",
        f"{widget} {ticks} /T (member) /V /Yes /AS /Yes /Rect [10 20 20 30] >>",
        f"{widget} {ticks} /T (guest) /V /Off /AS /Off /Rect [30 20 40 30] >>",
        f"{widget} /FT /Tx /Ff 8192 /T (pin) /V (4711) /Rect [155 20 195 38] >>",
    ]
    needed = "true" if need_appearances else "false"
    kids = " ".join(f"{7 + index} 0 R" for index in range(len(fields)))
    acroform = f"<< /Fields [{kids}] /DA (/F 12 Tf 0 g) /DR << /Font << /F 3 0 R >> >> /NeedAppearances {needed} >>"
    return samples.pdf(
        extra=f"/Resources << /Font << /F 3 0 R >> >> /Annots [{kids}]",
        catalog="/AcroForm 6 0 R",
        objects=[acroform, *fields, sign],
    )


def compressed_pdf(page: str) -> bytes:
    """Return a PDF whose objects are in an object stream, as most writers store them; `page` goes into the page's."""
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R >>",
        2: "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: f"<< /Type /Page /Parent 2 0 R {page} >>",
    }
    places, body = [], ""
    for number, text in objects.items():
        places.append(f"{number} {len(body)}")
        body += text + "\n"
    head = " ".join(places) + "\n"
    packed = zlib.compress((head + body).encode())
    out = b"%PDF-1.5\n"
    stream = len(out)
    out += b"4 0 obj\n<< /Type /ObjStm /N 3 /First %d /Filter /FlateDecode /Length %d >>\nstream\n" % (
        len(head),
        len(packed),
    )
    out += packed + b"\nendstream\nendobj\n"
    table = len(out)
    rows = [(0, 0, 255), (2, 4, 0), (2, 4, 1), (2, 4, 2), (1, stream, 0), (1, table, 0)]
    entries = zlib.compress(b"".join(struct.pack(">BHB", *row) for row in rows))
    out += b"5 0 obj\n<< /Type /XRef /Size 6 /W [1 2 1] /Root 1 0 R /Filter /FlateDecode /Length %d >>\nstream\n" % len(
        entries
    )
    return out + entries + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % table


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return the picture as a file of Pillow's format `kind`."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def heic(size: tuple[int, int] = (120, 80)) -> bytes:
    """Return a phone's photo."""
    out = io.BytesIO()
    pillow_heif.from_pillow(gradient(size)).save(out, quality=60)
    return out.getvalue()


def grey16(kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a 16-bit grey picture, dark on the left and three quarters bright on the right."""
    half = size[0] // 2
    row = struct.pack("<H", 0x1000) * half + struct.pack("<H", 0xC000) * (size[0] - half)
    image = Image.frombytes("I;16", size, row * size[1])
    return saved(image, kind)


def swapped_profile() -> bytes:
    """Return a colour profile under which red and green are exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def png_chunks(data: bytes) -> Iterable[tuple[bytes, bytes]]:
    """Yield kind and content of a PNG's chunks."""
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def png_of(chunks: Iterable[tuple[bytes, bytes]], wrong: bytes = b"") -> bytes:
    """Return a PNG of these chunks, in which those of the kind `wrong` have a wrong checksum."""
    out = samples.PNG_HEADER
    for kind, body in chunks:
        crc = zlib.crc32(kind + body) ^ (kind == wrong)
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)
    return out


def half_png(data: bytes) -> bytes:
    """Return a PNG whose pixels end after half of them, though the file has an end."""
    pixels = b"".join(body for kind, body in png_chunks(data) if kind == b"IDAT")
    raw = zlib.decompress(pixels)
    chunks = [(kind, body) for kind, body in png_chunks(data) if kind != b"IDAT"]
    chunks.insert(-1, (b"IDAT", zlib.compress(raw[: len(raw) // 2])))
    return png_of(chunks)


def gradient(size: tuple[int, int] = (200, 150)) -> Image.Image:
    """Return a picture in which every row and column differs."""
    image = Image.radial_gradient("L").resize(size)
    return Image.merge("RGB", (image, image.transpose(Image.Transpose.ROTATE_180), image))


def page(number: int, size: tuple[int, int] = (400, 300), mode: str = "1") -> Image.Image:
    """Return a scanned page that shows its number."""
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).text((40, 40), f"page {number}", fill=0, font_size=40)
    return image.convert(mode)


def tiff(pages: Iterable[Image.Image], **options: object) -> bytes:
    """Return a TIFF of these pages, as scanners write it."""
    first, *others = pages
    return saved(first, "TIFF", save_all=True, append_images=others, **options)
