"""A refusal before the end of the body reaches the client, and so does the next answer."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing

import pytest
from data_processor_testkit.service import Person, Service

from plumbline.verification.throwaway import THROUGH_CADDY

SIZE = 8_000_000
JSON, FORM = {"Content-Type": "application/json"}, {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("documents/", FORM, 401),
        ("documents/", JSON, 415),
        ("templates/", JSON, 413),
        ("batch/1/", JSON, 405),
        ("nowhere", JSON, 404),
    ],
)
def test_a_refusal_reaches_a_client_that_is_still_sending(
    service: Service, person: Person, path: str, headers: dict[str, str], status: int, chunked: bool
) -> None:
    def pieces() -> Iterator[bytes]:
        yield from (b"x" * 50_000 for _ in range(SIZE // 50_000))

    sent = THROUGH_CADDY | headers
    if status != 401:
        sent["Authorization"] = f"Bearer {person.token}"
    client = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    with closing(client):
        for _ in range(2):
            body = pieces() if chunked else b"x" * SIZE
            client.request("POST", f"/data-processor/{path}", body, sent, encode_chunked=chunked)
            answer = client.getresponse()
            answer.read()
            assert answer.status == status
