"""Files are measured, pictured and served as they are, whatever their size, their turn or their name.

Protects from files that are measured, shown or served wrongly.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from PIL import Image

from plumbline.stack import Stack
from plumbline.verification.checks import contract, rows, samples
from plumbline.verification.checks.client import Answer, User
from plumbline.verification.checks.created import PREFIX

Database = psycopg.Connection[dict[str, Any]]
DOCUMENTS = "/data-processor/documents/"
RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture(scope="module")
def channel(alice: User) -> int:
    return int(alice.create_channel("private")["id"])


@pytest.fixture(scope="module")
def large(alice: User, channel: int) -> tuple[str, bytes]:
    """The path and the bytes of a file that does not fit into a buffer of any size in between."""
    content = samples.png() + bytes(range(256)) * 1200
    stored = alice.upload(channel, f"{PREFIX}large.png", content).expect(201)
    return f"{DOCUMENTS}{stored['id']}/content", content


def part(user: User, large: tuple[str, bytes], wanted: str, **headers: str) -> Answer:
    return user.call(
        "GET", large[0], headers={"Range": wanted} | {key.replace("_", "-"): headers[key] for key in headers}
    )


def test_a_file_of_any_size_is_served_whole(alice: User, large: tuple[str, bytes]) -> None:
    """Protects from files that lose their end on the way back."""
    answer, digest = alice.get(large[0]), hashlib.sha256(large[1]).hexdigest()
    assert answer.status == 200
    shown = alice.get(large[0].removesuffix("content")).expect(200)["sha256"]
    assert shown == digest, f"data-processor: the sum of a file of {len(large[1])} bytes is {shown}; expected {digest}"
    assert answer.headers["Content-Length"] == str(len(large[1]))
    assert answer.headers["ETag"] == f'"{digest}"'
    assert answer.body == large[1], f"{large[0]}: other bytes than those that were uploaded"
    head = alice.call("HEAD", large[0])
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(large[1])))


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [("bytes=70000-70009", 70_000, 70_010), ("bytes=-5", -5, None), ("bytes=0-", 0, None), ("bytes=-9999999", 0, None),
     ("bytes=300000-9999999", 300_000, None)],
)  # fmt: skip
def test_a_part_of_a_file_is_exactly_what_its_range_says(
    alice: User, large: tuple[str, bytes], wanted: str, start: int, end: int | None
) -> None:
    """Protects from viewers that put a large file together wrongly."""
    answer, content = part(alice, large, wanted), large[1]
    first = start % len(content)
    assert answer.status == 206, f"Range: {wanted}: expected 206, got {answer.status}"
    assert answer.body == content[start:end], f"Range: {wanted}: other bytes than those of the file"
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.body) - 1}/{len(content)}"


@pytest.mark.parametrize("wanted", ["bytes=9999999-", "bytes=-0"])
def test_a_range_outside_of_the_file_is_refused_with_its_size(
    alice: User, large: tuple[str, bytes], wanted: str
) -> None:
    """Protects from viewers that ask again and again for a part that does not exist."""
    answer = part(alice, large, wanted)
    assert answer.expect_problem(416)["code"] == "range_not_satisfiable"
    assert answer.headers.get("Content-Range") == f"bytes */{len(large[1])}", f"Range: {wanted}"


@pytest.mark.parametrize("wanted", ["bytes=5-1", "bytes=1-2,5-9", "lines=1-2", "bytes=-", "bytes=x-y"])
def test_a_range_that_cannot_be_read_gets_the_whole_file(alice: User, large: tuple[str, bytes], wanted: str) -> None:
    """Protects from old clients that get nothing because of a header that they send wrongly."""
    answer = part(alice, large, wanted)
    assert (answer.status, len(answer.body)) == (200, len(large[1])), f"Range: {wanted}"


def test_a_range_holds_for_the_version_that_the_client_has(alice: User, large: tuple[str, bytes]) -> None:
    tag = alice.get(large[0]).headers["ETag"]
    for condition, status in ((tag, 206), ('"another"', 200), (f"W/{tag}", 200)):
        answer = part(alice, large, "bytes=0-9", If_Range=condition)
        assert answer.status == status, f"If-Range: {condition}: expected {status}, got {answer.status}"


@pytest.mark.parametrize(
    ("known", "status"),
    [("{}", 304), ("W/{}", 304), ('"another", {}', 304), ("*", 304), ('"another"', 200), ('W/"another"', 200)],
)
def test_a_version_that_the_client_has_is_recognised(
    alice: User, large: tuple[str, bytes], known: str, status: int
) -> None:
    """Protects from files that are sent again to each client that has them already."""
    tag = alice.get(large[0]).headers["ETag"]
    answer = alice.call("GET", large[0], headers={"If-None-Match": known.format(tag)})
    assert answer.status == status, f"If-None-Match: {known}: expected {status}, got {answer.status}"
    assert answer.headers["ETag"] == tag


@pytest.mark.parametrize("name", [f"{PREFIX}Größe 🚀.png", f'{PREFIX}"quoted";.png', f"{PREFIX}per%cent.png"])
def test_a_file_is_served_under_its_name(alice: User, channel: int, name: str) -> None:
    """Protects from downloads that are called otherwise than the uploaded file."""
    stored = alice.upload(channel, f"{PREFIX}plain.png", samples.png()).expect(201)
    path = f"{DOCUMENTS}{stored['id']}/"
    alice.patch(path, {"filename": name}).expect(200)
    shown = alice.get(f"{path}content").headers["Content-Disposition"]
    escaped = name.replace('"', r"\"")
    assert shown in (f"inline; filename*=utf-8''{quote(name)}", f'inline; filename="{escaped}"'), shown


def photo(orientation: int) -> bytes:
    """Return a photo of 64 x 32 pixels, left half red, right half blue, with an orientation from 1 to 8."""
    picture = Image.new("RGB", (64, 32), RED)
    picture.paste(BLUE, (32, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = orientation
    written = BytesIO()
    picture.save(written, "JPEG", exif=exif, quality=95)
    return written.getvalue()


def colour(picture: Image.Image, x: int, y: int) -> str:
    red, _, blue = picture.convert("RGB").getpixel((x, y))  # type: ignore[misc]
    return "red" if red > blue else "blue"


@pytest.mark.parametrize(
    ("orientation", "first", "last"),
    [(1, "red", "blue"), (2, "blue", "red"), (3, "blue", "red"), (4, "red", "blue"), (5, "red", "blue"),
     (6, "red", "blue"), (7, "blue", "red"), (8, "blue", "red")],
)  # fmt: skip
def test_a_photo_is_measured_and_pictured_upright(
    alice: User, channel: int, orientation: int, first: str, last: str
) -> None:
    stored = alice.upload(channel, f"{PREFIX}photo.jpg", photo(orientation)).expect(201)
    upright = (64, 32) if orientation < 5 else (32, 64)
    assert (stored["width"], stored["height"]) == upright, f"orientation {orientation}"
    picture = Image.open(BytesIO(alice.get(f"{DOCUMENTS}{stored['id']}/thumbnail").body))
    assert picture.size == upright, f"thumbnail of orientation {orientation}"
    corners = colour(picture, 2, 2), colour(picture, upright[0] - 3, upright[1] - 3)
    assert corners == (first, last), f"the thumbnail of orientation {orientation} is turned: {corners}"


@pytest.mark.parametrize(
    ("rotation", "size"), [(0, (300, 200)), (90, (200, 300)), (180, (300, 200)), (270, (200, 300))]
)
def test_a_turned_page_is_measured_as_it_is_shown(
    alice: User, channel: int, rotation: int, size: tuple[int, int]
) -> None:
    """Protects from boxes that lie beside their words, because a scan was turned."""
    content = samples.pdf_pages([(300, 200, rotation, RED)])
    stored = alice.upload(channel, f"{PREFIX}turned.pdf", content).expect(201)
    assert (stored["width"], stored["height"]) == size, f"a page of 300 x 200 points, turned by {rotation} degrees"


def test_the_size_and_the_picture_of_a_pdf_are_those_of_its_first_page(alice: User, channel: int) -> None:
    """Protects from a preview that shows another page, or another shape."""
    content = samples.pdf_pages([(300, 200, 0, RED), (100, 400, 0, BLUE), (50, 50, 0, BLUE)])
    stored = alice.upload(channel, f"{PREFIX}pages.pdf", content).expect(201)
    assert (stored["page_count"], stored["width"], stored["height"]) == (3, 300, 200)
    picture = Image.open(BytesIO(alice.get(f"{DOCUMENTS}{stored['id']}/thumbnail").body))
    found = (picture.format, max(picture.size), colour(picture, 5, 5))
    expected = ("WEBP", contract.THUMBNAIL_SIDE, "red")
    assert found == expected, (
        f"data-processor: format, side and colour of the thumbnail: expected {expected}, got {found}"
    )
    annotations = f"{DOCUMENTS}{stored['id']}/annotations/"
    mark = {"label_type": "a", "label_name": "b", "bounding_box": {"x": 0, "y": 300, "width": 100, "height": 100}}
    for page, status in ((1, 422), (2, 201), (3, 422), (4, 422)):
        answer = alice.post(annotations, mark | {"page": page})
        assert answer.status == status, f"a box that fits on page 2 alone, on page {page}: got {answer.status}"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b"mailed\r\n" + samples.pdf(), "application/pdf"), (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(20), None)],
    ids=["pdf-after-other-bytes", "sound"],
)
def test_the_type_is_that_of_the_content(alice: User, channel: int, content: bytes, media_type: str | None) -> None:
    """Protects from a file that says it is a picture and is a page with scripts."""
    answer = alice.upload(channel, f"{PREFIX}any.webp", content, "image/webp")
    if media_type:
        assert answer.expect(201)["media_type"] == media_type
    else:
        assert answer.expect_problem(415)["code"] == "wrong_media_type"


def test_of_several_files_the_first_is_stored(alice: User, channel: int) -> None:
    """Protects from an upload that stores another file than it answers for."""
    first, second, other = (samples.png(seed=seed) for seed in range(3))
    files = [
        ("other", ("other.png", other)),
        ("file", (f"{PREFIX}first.png", first)),
        ("file", (f"{PREFIX}second.png", second)),
    ]  # fmt: skip
    stored = alice.call("POST", DOCUMENTS, files=files, data={"channel_id": str(channel)}).expect(201)
    assert (stored["filename"], stored["sha256"]) == (f"{PREFIX}first.png", hashlib.sha256(first).hexdigest())


def moving(kind: str) -> bytes:
    """Return an image with two frames."""
    frames = [Image.new("RGB", (16, 16), one) for one in (RED, BLUE)]
    written = BytesIO()
    frames[0].save(written, kind, save_all=True, append_images=frames[1:])
    return written.getvalue()


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_an_animation_is_refused(alice: User, channel: int, kind: str) -> None:
    """Protects from documents of which only the first picture is ever read."""
    assert alice.upload(channel, f"{PREFIX}moving", moving(kind)).expect_problem(422)["code"] == "several_frames"


def test_a_scan_has_pages_of_their_own_sizes(alice: User, channel: int, database: Database) -> None:
    """Protects from boxes that are placed by the size of another page."""
    first, second = (Image.new("1", size, 1) for size in ((300, 200), (100, 400)))
    written = BytesIO()
    first.save(written, "TIFF", save_all=True, append_images=[second], compression="group4")
    stored = alice.upload(channel, f"{PREFIX}scan.tif", written.getvalue()).expect(201)
    assert (stored["media_type"], stored["page_count"]) == ("image/tiff", 2)
    row = rows.one(database, "documents", id=stored["id"])
    assert (row["page_widths"], row["page_heights"]) == ([300, 100], [200, 400])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (samples.pdf() + b"<!-- proxy -->" * 220, ["it has 3,080 bytes after its end"]),
        (b"\xef\xbb\xbf" + samples.pdf(), ["it begins with a byte order mark, which belongs to text files"]),
        (samples.png()[:-12], ["its end is missing"]),
        (samples.pdf(), []),
    ],
    ids=["bytes-after-the-end", "byte-order-mark", "no-end", "whole"],
)
def test_damage_that_viewers_overlook_is_told(
    alice: User, channel: int, database: Database, content: bytes, said: list[str]
) -> None:
    """Protects from damaged files that are kept as if they were whole."""
    stored = alice.upload(channel, f"{PREFIX}damaged", content).expect(201)
    assert stored["damage"] == said
    assert rows.one(database, "documents", id=stored["id"])["damage"] == said
    assert alice.get(f"{DOCUMENTS}{stored['id']}/thumbnail").status == 200


def test_a_deep_grey_is_pictured_as_grey(alice: User, channel: int) -> None:
    """Protects from scans that come out white or black."""
    written = BytesIO()
    Image.frombytes("I;16", (32, 32), (0x8000).to_bytes(2, "little") * 1024).save(written, "PNG")
    stored = alice.upload(channel, f"{PREFIX}grey.png", written.getvalue()).expect(201)
    picture = Image.open(BytesIO(alice.get(f"{DOCUMENTS}{stored['id']}/thumbnail").body))
    red, green, blue = picture.convert("RGB").getpixel((9, 9))  # type: ignore[misc]
    assert all(120 <= part <= 135 for part in (red, green, blue)), (red, green, blue)


def test_the_number_of_pages_is_limited(stack: Stack, alice: User, channel: int) -> None:
    """Protects from one file with endless pages that keeps the worker busy."""
    most = contract.setting(stack, "PLUMBLINE_PDF_MAX_PAGES", contract.PDF_MAX_PAGES)
    page = (10, 10, 0, RED)
    stored = alice.upload(channel, f"{PREFIX}pages.pdf", samples.pdf_pages([page] * most)).expect(201)
    assert stored["page_count"] == most
    refused = alice.upload(channel, f"{PREFIX}more.pdf", samples.pdf_pages([page] * (most + 1)))
    assert refused.expect_problem(422)["code"] == "too_many_pages"


@pytest.mark.parametrize(("side", "code"), [(1_000_000, None), (1_000_001, "page_size"), (0, "page_size")])
def test_the_size_of_pages_is_limited(alice: User, channel: int, side: int, code: str | None) -> None:
    """Protects from one page that takes all memory once it is drawn."""
    answer = alice.upload(channel, f"{PREFIX}side.pdf", samples.pdf_pages([(side, 10, 0, RED)]))
    if code is None:
        answer.expect(201)
    else:
        assert answer.expect_problem(422)["code"] == code
