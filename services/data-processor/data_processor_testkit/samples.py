"""Generated files for uploads: valid, broken and hostile ones."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Sequence

from PIL import Image

PNG_HEADER = b"\x89PNG\r\n\x1a\n"


def image(kind: str = "PNG", size: tuple[int, int] = (120, 80), **save: object) -> bytes:
    """Return a picture of one colour, of Pillow's format `kind`."""
    out = io.BytesIO()
    Image.new("RGB", size, (40, 120, 200)).save(out, kind, **save)
    return out.getvalue()


def noise(length: int) -> bytes:
    """Return a PNG of about `length` bytes that does not compress."""
    side = max(1, int((length / 3) ** 0.5))
    out = io.BytesIO()
    # Seeded, so that every run tests the same bytes.
    pixels = random.Random(side).randbytes(side * side * 3)  # noqa: S311
    Image.frombytes("RGB", (side, side), pixels).save(out, "PNG", compress_level=0)
    return out.getvalue()


def animation(kind: str) -> bytes:
    """Return a picture of two frames."""
    out = io.BytesIO()
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    return out.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(width: int, height: int) -> bytes:
    """Return a PNG of about 2 KB whose header declares `width` x `height` pixels."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return PNG_HEADER + header + _chunk(b"IDAT", zlib.compress(bytes(1_500_000))) + _chunk(b"IEND", b"")


def pdf(
    pages: Sequence[tuple[str, str]] = (("[0 0 200 100]", "BT /F 12 Tf 10 80 Td (Total 42) Tj ET"),),
    *,
    extra: str = "/Resources << /Font << /F 3 0 R >> >>",
    trailer: str = "",
    catalog: str = "",
    objects: Sequence[str] = (),
) -> bytes:
    """Return a PDF with a page for each pair of media box and content stream, and a correct cross-reference table.

    `extra` goes into each page's dictionary, `trailer` into the trailer's, `catalog` into the catalog; `objects` follow
    those of the pages.
    """
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    bodies = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, (box, content) in enumerate(pages):
        bodies.append(f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents {5 + 2 * index} 0 R {extra} >>")
        bodies.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate([*bodies, *objects], 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "0000000000 65535 f \n" + "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(offsets) + 1
    end = f"xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + end.encode()


def pdf_encrypted() -> bytes:
    """Return an encrypted PDF that the empty password does not open."""
    text = "00" * 32
    encrypt = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{text}> /U <{text}> /P -4 >> /ID [<{text}> <{text}>]"
    return pdf(trailer=encrypt)


def pdf_bomb(levels: int = 9, width: int = 10) -> bytes:
    """Return a PDF of a few kilobytes that draws a form `width` times, which draws a form `width` times, and so on."""
    draw = "/X Do " * width
    forms = [
        f"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length {len(draw)} "
        f"/Resources << /XObject << /X {7 + level} 0 R >> >> >>\nstream\n{draw}\nendstream"
        for level in range(levels)
    ]
    forms.append("<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 12 >>\nstream\n0 0 1 1 re f\nendstream")
    return pdf([("[0 0 9 9]", draw)], extra="/Resources << /XObject << /X 6 0 R >> >>", objects=forms)


def pdf_that_draws_for_ever(before: str, after: str) -> bytes:
    """Return a PDF of three pages: two with a text, and between them one of two hundred million tiles."""
    texts = [f"BT /F 12 Tf 10 80 Td ({text}) Tj ET" for text in (before, after)]
    tiled = "/Pattern cs /P scn 0 0 200 100 re f"
    pages = [("[0 0 200 100]", content) for content in (texts[0], tiled, texts[1])]
    tile = (
        "<< /Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.01 /YStep 0.01 "
        "/Resources << >> /Length 12 >>\nstream\n0 0 1 1 re f\nendstream"
    )
    resources = f"/Resources << /Font << /F 3 0 R >> /Pattern << /P {4 + 2 * len(pages)} 0 R >> >>"
    return pdf(pages, extra=resources, objects=[tile])
