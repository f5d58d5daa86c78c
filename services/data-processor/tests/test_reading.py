"""The text of documents: read in jobs, stored page by page, served to members."""

from __future__ import annotations

import io
from typing import Any

import redis
from data_processor_testkit import samples, scans
from data_processor_testkit.service import Person, Service, refusal
from PIL import Image
from servicekit.events import decode
from servicekit.facts import EVENTS_CHANNEL

from plumbline.verification.throwaway import RedisServer, wait_until

FONT = "/Resources << /Font << /F 3 0 R >> >>"


def lines_pdf(*pages: str, extra: str = FONT) -> bytes:
    """Return a PDF with a page of 300 x 200 points for each text."""
    return samples.pdf(
        [("[0 0 300 200]", f"BT /F 12 Tf 20 150 Td ({text}) Tj ET" if text else "") for text in pages], extra=extra
    )


def stored(person: Person, channel: int, data: bytes) -> int:
    """Upload a file and return its id."""
    response = person.upload(channel, data)
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


def read(service: Service, *documents: int, **arguments: Any) -> None:
    """Read documents as a worker does."""
    done = service.read(*documents, **arguments)
    assert done.returncode == 0, done.stderr


def test_pages_with_a_text_layer_and_without_are_read(service: Service, person: Person, channel: int) -> None:
    page = scans.page()
    scan = scans.scanned_pdf(page.picture, scans.turned(page, 5).picture, dpi=150)
    text, scanned = stored(person, channel, lines_pdf("Total 42", "Second page")), stored(person, channel, scan)
    assert person.get(f"documents/{text}/").json()["text_status"] == "pending"

    read(service, text, scanned)

    for document, pages in ((text, 2), (scanned, 2)):
        body = person.get(f"documents/{document}/").json()
        assert (body["text_status"], body["text_error"], body["page_count"]) == ("done", None, pages)
    body = person.get(f"documents/{text}/pages/1/text").json()
    assert body == {
        "document_id": text, "page": 1, "status": "done", "width": 300.0, "height": 200.0, "engine": "text-layer",
        "angle": 0.0, "words": body["words"], "text": "Total 42", "error": None,
    }  # fmt: skip
    assert [(word["text"], word["line"], word["confidence"]) for word in body["words"]] == [
        ("Total", 0, 1.0), ("42", 0, 1.0),
    ]  # fmt: skip
    x, y, _, height = body["words"][0]["box"]
    # The baseline is 50 points below the top.
    assert (round(x), round(y + height)) == (20, 50)
    assert person.get(f"documents/{text}/pages/2/text").json()["text"] == "Second page"
    for number, expected in ((1, page), (2, scans.turned(page, 5))):
        body = person.get(f"documents/{scanned}/pages/{number}/text").json()
        assert (body["engine"], body["status"], body["error"]) == ("tesseract", "done", None)
        assert body["text"].split("\n") == list(scans.LINES)
        points = 72 / 150
        found = {word["text"]: _centre(word["box"], points) for word in body["words"]}
        scans.require_near(found, expected.centres, 4)
        assert abs(body["angle"] - (0 if number == 1 else -5)) <= 0.2


def _centre(box: list[float], scale: float) -> tuple[float, float]:
    x, y, width, height = box
    return (x + width / 2) / scale, (y + height / 2) / scale


def test_a_page_that_was_not_read_yet_says_so(person: Person, channel: int) -> None:
    document = stored(person, channel, lines_pdf("Total 42"))

    response = person.get(f"documents/{document}/pages/1/text")

    assert response.status_code == 202
    body = response.json()
    assert (body["status"], body["engine"], body["words"], body["text"]) == ("pending", "none", [], "")
    assert response.headers["Retry-After"] == "2"


def test_pages_that_do_not_exist_are_refused(person: Person, channel: int) -> None:
    document = stored(person, channel, lines_pdf("Total 42", "Second page"))

    for page in (3, 2**31, 2**62):
        for what in ("text", "image"):
            body = refusal(person.get(f"documents/{document}/pages/{page}/{what}"), 404, "no_such_page")
            assert body["detail"] == f"there is no page {page}: the document has 2 pages"
    refusal(person.get(f"documents/{document}/pages/0/text"), 404, "no_such_address")
    for call in (person.get(f"documents/{2**62}/pages/1/text"), person.post(f"documents/{2**62}/process/")):
        refusal(call, 404, "no_such_document")


def test_strangers_get_nothing_of_a_page(person: Person, stranger: Person, channel: int) -> None:
    document = stored(person, channel, lines_pdf("Total 42"))

    for call in (
        stranger.get(f"documents/{document}/pages/1/text"),
        stranger.get(f"documents/{document}/pages/9/text"),
        stranger.get(f"documents/{document}/pages/1/image"),
        stranger.post(f"documents/{document}/process/"),
    ):
        refusal(call, 403, "not_a_member")


def test_a_page_that_cannot_be_read_says_so_and_the_others_are_read(
    service: Service, person: Person, channel: int
) -> None:
    document = stored(person, channel, samples.pdf_that_draws_for_ever("First page", "Third page"))

    read(service, document, page_timeout_s=2)

    body = person.get(f"documents/{document}/").json()
    assert body["text_status"] == "done"
    assert body["text_error"] == "page 2: the file takes longer than 2 s to decode"
    pages = [person.get(f"documents/{document}/pages/{page}/text").json() for page in (1, 2, 3)]
    assert [page["text"] for page in pages] == ["First page", "", "Third page"]
    assert [(page["status"], page["engine"]) for page in pages] == [
        ("done", "text-layer"), ("failed", "none"), ("done", "text-layer"),
    ]  # fmt: skip
    assert pages[1]["error"] == "the file takes longer than 2 s to decode"


def test_text_is_bounded(service: Service, person: Person, channel: int) -> None:
    words = " ".join(f"w{number}" for number in range(50_000))
    rows = [words[at : at + 600] for at in range(0, len(words), 600)]
    text = "BT /F 1 Tf 2 TL 1 1300 Td " + " ".join(f"({row}) Tj T*" for row in rows) + " ET"
    dense = stored(person, channel, samples.pdf([("[0 0 400 1310]", text)]))
    several = stored(person, channel, lines_pdf("One two three", "Four", "Five"))

    read(service, dense)
    read(service, several, text_max_chars=10)

    body = person.get(f"documents/{dense}/pages/1/text").json()
    assert body["error"] == "the page has more than 100000 characters: the rest is left out"
    assert 90_000 < len(body["text"]) <= 100_000
    pages = [person.get(f"documents/{several}/pages/{page}/text").json() for page in (1, 2, 3)]
    assert [page["text"] for page in pages] == ["One two", "", ""]
    assert {page["error"] for page in pages} == {"the document has more than 10 characters: the rest is left out"}


def test_reading_continues_after_postgres_was_away(service: Service, person: Person, channel: int) -> None:
    document = stored(person, channel, lines_pdf("First page", "Second page", "Third page"))
    lost = "page == 3 and (connection.close_pool(), connection.settings_dict.update(PORT=1))"

    interrupted = service.read(document, meanwhile=lost)
    service.rows("UPDATE page_texts SET text = 'kept' WHERE document_id = %s AND page = 1 RETURNING 1", document)
    statuses = "SELECT text_status FROM documents WHERE id = %s"
    assert (interrupted.returncode, service.rows(statuses, document)) == (1, [("running",)])
    assert "OperationalError" in interrupted.stderr
    read(service, document)

    rows = service.rows("SELECT page, text FROM page_texts WHERE document_id = %s ORDER BY page", document)
    assert rows == [(1, "kept"), (2, "Second page"), (3, "Third page")]
    assert service.rows(statuses, document) == [("done",)]


def test_nothing_is_left_of_a_document_that_is_deleted_while_it_is_read(
    service: Service, person: Person, channel: int
) -> None:
    document = stored(person, channel, lines_pdf("First page", "Second page", "Third page"))
    delete = f"page == 2 and connection.cursor().execute('DELETE FROM documents WHERE id = {document}')"

    read(service, document, meanwhile=delete)

    assert service.rows("SELECT page FROM page_texts WHERE document_id = %s", document) == []


def test_reading_again_replaces_the_text(service: Service, person: Person, channel: int) -> None:
    document = stored(person, channel, lines_pdf("First page", "Second page"))
    read(service, document)
    service.rows("UPDATE page_texts SET text = 'old' WHERE document_id = %s RETURNING 1", document)

    response = person.post(f"documents/{document}/process/")
    assert (response.status_code, response.json()["text_status"]) == (202, "pending")
    assert person.post(f"documents/{document}/process/").json()["text_status"] == "pending"
    read(service, document, again=True)

    assert service.rows("SELECT text FROM page_texts WHERE document_id = %s ORDER BY page", document) == [
        ("First page",), ("Second page",),
    ]  # fmt: skip
    assert person.get(f"documents/{document}/").json()["text_status"] == "done"


def test_members_are_told(service: Service, redis_server: RedisServer, person: Person, channel: int) -> None:
    document = stored(person, channel, lines_pdf("First page", "x" * 60, "Third page"))
    frames: list[dict[str, Any]] = []
    with redis.Redis.from_url(redis_server.admin_url) as client, client.pubsub() as subscription:
        subscription.subscribe(EVENTS_CHANNEL)
        read(service, document)

        def complete() -> bool:
            message = subscription.get_message(ignore_subscribe_messages=True, timeout=1)
            if message is not None:
                event = decode(message["data"])
                # That of the upload is sent after its answer, so it may arrive here.
                if event.frame.get("document_id") == document and event.frame["type"] != "document_uploaded":
                    assert (event.channel_id, event.user_ids) == (channel, None)
                    frames.append(event.frame)
            return bool(frames) and frames[-1]["type"] == "ocr_complete"

        wait_until(complete, "the end is told")

    about = {"document_id": document, "channel_id": channel}
    assert frames[0] == {
        "type": "ocr_progress", **about, "stage": "preprocessing", "progress": 0, "message": "page 1 of 3",
    }  # fmt: skip
    complete_frame = frames[-1]
    regions = complete_frame.pop("detected_regions")
    assert complete_frame == {
        "type": "ocr_complete", **about, "text_status": "done", "text_error": None,
        "extracted_text": f"First page\n{'x' * 60}\nThird page",
    }  # fmt: skip
    assert [(region["id"], region["page"], region["text"]) for region in regions] == [
        (1, 1, "First page"), (2, 2, "x" * 60), (3, 3, "Third page"),
    ]  # fmt: skip
    assert set(regions[0]) == {"id", "type", "page", "x", "y", "width", "height", "text", "confidence"}


def test_any_page_can_be_drawn_at_a_width(person: Person, channel: int) -> None:
    document = stored(person, channel, samples.pdf([("[0 0 200 100]", ""), ("[0 0 100 300]", "0 0 50 300 re f")]))

    first = person.get(f"documents/{document}/pages/1/image")
    second = person.get(f"documents/{document}/pages/2/image?width=400")

    assert (first.status_code, first.headers["Content-Type"]) == (200, "image/webp")
    assert Image.open(io.BytesIO(first.content)).size == (1200, 600)
    picture = Image.open(io.BytesIO(second.content)).convert("L")
    assert picture.size == (400, 1200)
    assert (picture.getpixel((50, 600)), picture.getpixel((350, 600))) == (0, 255)
    tag = second.headers["ETag"]
    assert (
        person.get(f"documents/{document}/pages/2/image?width=400", headers={"If-None-Match": tag}).status_code == 304
    )
    assert person.get(f"documents/{document}/pages/2/image?width=300").headers["ETag"] != tag
    for width in ("0", "2401", "x"):
        refusal(person.get(f"documents/{document}/pages/1/image?width={width}"), 422, "invalid")


def test_images_are_not_enlarged_and_long_pages_get_narrower_pictures(person: Person, channel: int) -> None:
    small = stored(person, channel, samples.image("PNG", (120, 80)))
    long = stored(person, channel, samples.pdf([("[0 0 10 9000]", "")]))

    sizes = []
    for document in (small, long):
        response = person.get(f"documents/{document}/pages/1/image?width=2400")
        assert response.status_code == 200, response.text
        sizes.append(Image.open(io.BytesIO(response.content)).size)

    assert sizes[0] == (120, 80)
    assert (sizes[1][0], sizes[1][1] <= 16_383) == (18, True)


def test_requests_never_recognise_text(service: Service, person: Person, channel: int) -> None:
    document = stored(person, channel, scans.scanned_pdf(scans.page().picture))
    for call in ("pages/1/text", "pages/1/image", "thumbnail"):
        assert person.get(f"documents/{document}/{call}").status_code in (200, 202)
    assert person.post(f"documents/{document}/process/").status_code == 202

    loaded = {part.path for process in service.processes() for part in process.memory_maps()}
    assert any("pdfium" in path for path in loaded)
    assert not any("tesseract" in path for path in loaded)
