"""The body of an upload: limited by the received bytes, and never a server error."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from data_processor_testkit import samples
from data_processor_testkit.service import Person, refusal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIMIT = 25 * 1024**2
BOUNDARY = "bounds"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def _form(channel_id: int, data: bytes, filename: str = 'filename="f"') -> bytes:
    return (
        (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="channel_id"\r\n\r\n{channel_id}\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; {filename}\r\n\r\n'
        ).encode()
        + data
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )


def _in_chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


def test_file_of_the_largest_size_is_accepted(person: Person, channel: int) -> None:
    # Bytes after the image's end belong to the file but to no pixel.
    data = samples.image()
    data += b"\0" * (LIMIT - len(data))

    assert person.upload(channel, data).json()["size"] == LIMIT


def test_file_with_one_byte_more_is_refused(person: Person, channel: int) -> None:
    data = samples.image()
    body = refusal(person.upload(channel, data + b"\0" * (LIMIT + 1 - len(data))), 413, "body_too_large")

    assert body["limit"] == LIMIT


def test_chunked_upload_is_accepted(person: Person, channel: int) -> None:
    body = _form(channel, samples.image())

    assert person.post("documents/", data=_in_chunks(body), headers=FORM).status_code == 201


def test_chunked_upload_that_does_not_end_is_refused(person: Person, channel: int) -> None:
    body = _form(channel, b"\0" * (LIMIT + 10_000_000))

    refusal(person.post("documents/", data=_in_chunks(body), headers=FORM), 413, "body_too_large")


@pytest.mark.parametrize("left_out", [1, 4, 20])
def test_interrupted_chunked_upload_stores_nothing(person: Person, channel: int, left_out: int) -> None:
    body = _form(channel, samples.image())[: -2 - left_out]

    refusal(person.post("documents/", data=_in_chunks(body), headers=FORM), 400, "incomplete")
    assert person.get(f"documents/?channel_id={channel}").json()["items"] == []


def test_bytes_after_the_closing_boundary_are_ignored(person: Person, channel: int) -> None:
    body = _form(channel, samples.image()) + b"an epilogue\r\n"

    assert person.post("documents/", data=_in_chunks(body), headers=FORM).status_code == 201


def test_huge_field_is_refused(person: Person) -> None:
    refusal(
        person.post("documents/", files={"file": ("f", b"x")}, data={"channel_id": "1" * 4_000_000}),
        413,
        "body_too_large",
    )


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "image/png", "multipart/mixed; boundary=bounds", ""]
)
def test_other_body_is_refused(person: Person, content_type: str) -> None:
    response = person.post("documents/", data=b"x", headers={"Content-Type": content_type})

    refusal(response, 415, "wrong_media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\xff",
        "multipart/form-data; boundary=" + "x" * 300,
    ],
)
def test_form_without_a_boundary_is_refused(person: Person, content_type: str) -> None:
    response = person.post("documents/", data=b"--x\r\n", headers={"Content-Type": content_type.encode("latin-1")})

    assert response.status_code in (400, 415)


LONG = "第二季度供应商发票与付款确认书（最终版）" * 12 + ".png"
IN_MAIL = base64.b64encode(LONG.encode()).decode()
NAMES = {
    "browser": (f'filename="{LONG}"', LONG),
    "browser, with a quotation mark": ('filename="12%22 monitor.png"', '12" monitor.png'),
    "percent sign": ('filename="100%25 sure.png"', "100%25 sure.png"),
    "filename* alone": (f"filename*=UTF-8''{quote(LONG)}", LONG),
    "requests, with both": (f"filename=\"?.png\"; filename*=utf-8''{quote(LONG)}", LONG),
    ".NET": (f"filename=\"=?utf-8?B?{IN_MAIL}?=\"; filename*=utf-8''{quote(LONG)}", LONG),
    ".NET, without filename*": (f'filename="=?utf-8?B?{IN_MAIL}?="', LONG),
    "quoted-printable": ('filename="=?iso-8859-1?Q?Rechnung_f=FCr_M=E4rz.pdf?="', "Rechnung für März.pdf"),
    "unknown character set": ('filename="=?klingon?B?AAAA?="', "=?klingon?B?AAAA?="),
    "all in percents": (f'filename="{quote(LONG)}"', LONG),
    "no UTF-8 in percents": ('filename="a%FF%FE.png"', "a%FF%FE.png"),
}


@pytest.mark.parametrize("client", NAMES)
def test_name_is_read_as_clients_send_it(person: Person, channel: int, client: str) -> None:
    header, name = NAMES[client]
    response = person.post("documents/", data=_form(channel, samples.image(), header), headers=FORM)

    assert response.status_code == 201, response.text
    assert response.json()["filename"] == name


def test_header_of_a_part_is_limited(person: Person, channel: int) -> None:
    header = f'filename="{"n" * 100_000}"'

    refusal(
        person.post("documents/", data=_form(channel, samples.image(), header), headers=FORM), 400, "malformed_body"
    )


PIECES = [
    b"--bounds",
    b"--bounds--",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"\xff\xfe",
    b"1",
    b"====",
    b"--" + b"y" * 200,
    b"%PDF-",
    samples.PNG_HEADER,
    b'Content-Disposition: form-data; name="channel_id"',
    b'Content-Disposition: form-data; name="file"; filename="\xf0\x9f\x98\x80"',
    b"Content-Disposition: form-data; name=\"file\"; filename*=utf-9''%ff",
    b"Content-Transfer-Encoding: base64",
    b"Content-Type: text/plain; charset=klingon",
]
BODIES = st.one_of(st.binary(max_size=2000), st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES)
def test_any_body_gets_an_answer_below_500(person: Person, body: bytes) -> None:
    assert 400 <= person.post("documents/", data=body, headers=FORM).status_code < 500
