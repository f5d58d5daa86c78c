"""Files to upload, valid and malicious ones, created in memory."""

from __future__ import annotations

import math
import secrets
import struct
import zlib
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def png(width: int = 120, height: int = 80, seed: int = 0) -> bytes:
    """Return a valid PNG with a colour gradient that depends on `seed`."""
    rows = (
        b"\0" + b"".join(bytes(((x + seed) % 256, y % 256, (x * y + seed) % 256)) for x in range(width))
        for y in range(height)
    )
    return _png(width, height, zlib.compress(b"".join(rows)))


def unlike_any_other() -> bytes:
    """Return a valid PNG that no document has yet."""
    return png() + secrets.token_bytes(16)


def blank_png(width: int, height: int) -> bytes:
    """Return a valid black PNG of one bit per pixel, so a few KB even if large."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    row = bytes(1 + (width + 7) // 8)
    pixels = zlib.compress(row * height)
    return _PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def size_of(picture: bytes) -> tuple[int, int]:
    """Return width and height of a picture, in pixels."""
    with Image.open(BytesIO(picture)) as opened:
        return opened.size


def png_bomb() -> bytes:
    """Return a PNG of about 2 KB that declares 50,000 x 50,000 pixels."""
    return _png(50_000, 50_000, zlib.compress(b"\0" * 1_500_000))


def pdf(text: str = "Invoice 4711", width: int = 300, height: int = 200) -> bytes:
    """Return a valid one-page PDF with a text layer; `width` and `height` in points."""
    return pdf_drawing(f"BT /F1 18 Tf 20 {height - 40} Td ({text}) Tj ET", width, height)


def pdf_drawing(drawing: str, width: int, height: int) -> bytes:
    """Return a valid one-page PDF with these drawing operators; its font is `/F1`."""
    content = drawing.encode()
    return _pdf([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 4 0 R "
        f"/Resources << /Font << /F1 5 0 R >> >> >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ])  # fmt: skip


def pdf_pages(pages: list[tuple[int, int, int, tuple[int, int, int]]]) -> bytes:
    """Return a valid PDF with these pages: width and height in points, rotation in degrees, and the colour."""
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
    ]  # fmt: skip
    for number, (width, height, rotation, colour) in enumerate(pages):
        red, green, blue = (part / 255 for part in colour)
        content = f"{red} {green} {blue} rg 0 0 {width} {height} re f".encode()
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Rotate {rotation} "
        objects += [
            f"{page}/Contents {4 + 2 * number} 0 R >>".encode(),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        ]
    return _pdf(objects)


def _pdf(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


SCANNED = ("Invoice 20417 from Harbour", "Total amount 1284.50", "Payment within thirty days")
"""The lines of a `scan`."""


def _page() -> tuple[Image.Image, dict[str, tuple[float, float]]]:
    picture = Image.new("L", (900, 400), 255)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(36)
    centres = {}
    for number, line in enumerate(SCANNED):
        x, y = 80.0, 80.0 + 80 * number
        for word in line.split():
            draw.text((x, y), word, font=font, fill=0)
            left, top, right, bottom = draw.textbbox((x, y), word, font=font)
            centres[word] = ((left + right) / 2, (top + bottom) / 2)
            x = right + 14
    return picture, centres


def scan(angle: float) -> tuple[bytes, dict[str, tuple[float, float]]]:
    """Return a picture of a page that is turned anticlockwise, and the centre of each of its words."""
    picture, centres = _page()
    turned = picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    moved = {}
    for word, (x, y) in centres.items():
        across, down = x - picture.width / 2, y - picture.height / 2
        moved[word] = (
            turned.width / 2 + across * cos + down * sin,
            turned.height / 2 - across * sin + down * cos,
        )
    out = BytesIO()
    turned.save(out, "PNG")
    return out.getvalue(), moved


def scanned_pdf(pages: int) -> bytes:
    """Return a PDF of scanned pages, without a text layer."""
    picture, _ = _page()
    out = BytesIO()
    picture.save(out, "PDF", save_all=True, append_images=[picture] * (pages - 1), resolution=150)
    return out.getvalue()


def encrypted_pdf() -> bytes:
    """Return a PDF that cannot be opened without a password."""
    keys = (b"41" * 32, b"42" * 32)
    entry = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >> /ID [<00> <00>]" % keys
    return pdf().replace(b"/Root 1 0 R", b"/Root 1 0 R " + entry)


def pdf_with_broken_xref() -> bytes:
    """Return a truncated PDF with an invalid cross-reference table, which no reader can repair."""
    good = pdf()
    return (
        good[: good.index(b"2 0 obj")] + b"xref\n0 9\n" + b"9999999999 00000 n \n" * 9 + b"startxref\n99999999\n%%EOF\n"
    )
