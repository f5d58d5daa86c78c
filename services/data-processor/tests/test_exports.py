"""Exports: their values, loaded back into real databases, and downloads that never end early looking whole."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import socket
import sqlite3
import threading
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests
from data_processor.exports.columns import COLUMNS
from data_processor_testkit.service import Person, Service, refusal

from plumbline.verification.throwaway import wait_until

NASTY = "it's \"quoted\" \\ back\\'slash %s :name $$1\r\nnew\tline 😀 ﬁ \u202e --; DROP TABLE x; /* */"
FORMULA = '=HYPERLINK("http://example.invalid")'


def record_value(service: Service, document: int, label: str, **columns: Any) -> int:
    """Insert an annotation; return its id."""
    columns = {"text": None, "value_type": None, "normalised_value": None, "reason": None, "confidence": 0.1 + 0.2,
               "validation_status": "pending"} | columns  # fmt: skip
    columns["normalised_value"] = (
        None if columns["normalised_value"] is None else json.dumps(columns["normalised_value"])
    )
    ((value,),) = service.rows(
        "INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name,"
        " colour, text, value_type, normalised_value, reason, confidence, validation_status)"
        " VALUES (%s, 1, 0.1, 0, 1.5, 1, 'field', %s, '#ffcc00', %s, %s, %s, %s, %s, %s) RETURNING id",
        document, label, *(columns[name] for name in
                           ("text", "value_type", "normalised_value", "reason", "confidence", "validation_status")),
    )  # fmt: skip
    return int(value)


@pytest.fixture
def valued(service: Service, person: Person, channel: int) -> int:
    """A document with a value of each kind."""
    (document,) = service.record_documents(person, channel, 1)
    service.rows("UPDATE documents SET filename = %s WHERE id = %s RETURNING id", "scan “a”.png", document)
    record_value(service, document, "supplier", text=NASTY, value_type="text", normalised_value=NASTY,
                 validation_status="valid")  # fmt: skip
    record_value(service, document, "date", text="30.11.2026", value_type="date", normalised_value="2026-11-30",
                 validation_status="corrected")  # fmt: skip
    record_value(service, document, "due", text="03/04/2026", value_type="date", reason="ambiguous",
                 validation_status="invalid")  # fmt: skip
    record_value(service, document, "total", text="-1.234.567.890,10", value_type="amount",
                 normalised_value="-1234567890.10", validation_status="valid")  # fmt: skip
    record_value(service, document, "lines", text="a 1", value_type="table", normalised_value=[["=a", "1"], ["b", "'"]])
    record_value(service, document, FORMULA, text=FORMULA)
    return document


def export(person: Person, document: int, **options: Any) -> requests.Response:
    answer = person.post(f"documents/{document}/export/", json=options)
    assert answer.status_code == 200, answer.text
    return answer


def test_json_has_dates_and_decimals_as_text(person: Person, valued: int) -> None:
    answer = export(person, valued, format="json")
    assert answer.headers["Content-Disposition"] == "attachment; filename*=utf-8''scan%20%E2%80%9Ca%E2%80%9D.json"
    assert (answer.headers["Cache-Control"], answer.headers["Content-Type"]) == ("no-store", "application/json")
    body = answer.json()
    (document,) = body["documents"]
    assert (document["document_id"], document["filename"], document["page_count"]) == (valued, "scan “a”.png", 1)
    assert body["count"] == {"documents": 1, "values": 6}
    values = {value["label"]: value for value in document["values"]}
    typed = ("value_text", "value_date", "value_amount", "value_table", "reason")
    assert {label: [value[name] for name in typed] for label, value in values.items()} == {
        "supplier": [NASTY, None, None, None, None],
        "date": [None, "2026-11-30", None, None, None],
        "due": [None, None, None, None, "ambiguous"],
        "total": [None, None, "-1234567890.10", None, None],
        "lines": [None, None, None, [["=a", "1"], ["b", "'"]], None],
        FORMULA: [None, None, None, None, None],
    }
    assert values["due"]["text"] == "03/04/2026"
    assert values["total"]["confidence"] == 0.1 + 0.2


def test_every_column_is_described(service: Service) -> None:
    schemas = service.description.document["components"]["schemas"]
    described = set(schemas["ExportedValue"]["properties"]) | set(schemas["ExportedDocument"]["properties"])
    assert described - {"values"} == {column.name for column in COLUMNS}
    required = set(schemas["ExportedValue"]["required"]) | set(schemas["ExportedDocument"]["required"])
    assert required - {"values"} == {column.name for column in COLUMNS if not column.metadata}


def test_approved_only_means_just_that(person: Person, valued: int) -> None:
    (document,) = export(person, valued, format="json", validated_only=True).json()["documents"]
    assert {value["status"] for value in document["values"]} == {"valid", "corrected"}
    assert {value["label"] for value in document["values"]} == {"supplier", "date", "total"}


def test_metadata_can_be_left_out(person: Person, valued: int) -> None:
    (document,) = export(person, valued, format="json", include_metadata=False).json()["documents"]
    assert set(document) == {"document_id", "filename", "values"}
    assert {"x", "confidence", "reviewed_by", "template_id"}.isdisjoint(document["values"][0])


def test_csv_has_no_formula_and_loses_nothing(person: Person, valued: int) -> None:
    answer = export(person, valued, format="csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    assert [row["value_amount"] for row in rows] == ["", "", "", "-1234567890.10", "", ""]
    assert [row["value_date"] for row in rows] == ["", "2026-11-30", "", "", "", ""]
    assert rows[0]["text"] == NASTY
    assert rows[3]["text"] == "'-1.234.567.890,10"
    assert (rows[5]["label"], rows[5]["text"]) == ("'" + FORMULA, "'" + FORMULA)
    assert json.loads(rows[4]["value_table"]) == [["=a", "1"], ["b", "'"]]


def _expected(service: Service, document: int) -> list[tuple[Any, ...]]:
    return service.rows(
        "SELECT a.id, d.id, d.filename, a.page, a.label_name, a.text, a.value_type, a.normalised_value,"
        " a.validation_status, a.reason, a.confidence, a.box_x, a.created_at, d.sha256, d.channel_id"
        " FROM annotations a JOIN documents d ON d.id = a.document_id WHERE d.id = %s ORDER BY a.id",
        document,
    )


_READ = (
    "SELECT value_id, document_id, filename, page, label, text, value_type,"
    " value_text, value_date, value_amount, value_table, status, reason, confidence, x, created_at, sha256, channel_id"
    " FROM document_values ORDER BY value_id"
)


def _compare(loaded: list[tuple[Any, ...]], expected: list[tuple[Any, ...]], read: dict[str, Any]) -> None:
    assert len(loaded) == len(expected) > 0
    for found, stored in zip(loaded, expected, strict=True):
        by_type = dict(zip(("text", "date", "amount", "table"), found[7:11], strict=True))
        kept = {kind: read[kind](value) for kind, value in by_type.items() if value is not None}
        normalised = stored[7]
        assert kept == ({} if normalised is None else {stored[6]: read[stored[6]](normalised)})
        assert found[:7] == stored[:7]
        assert found[11:15] == stored[8:12]
        assert datetime.fromisoformat(str(found[15])) == stored[12]
        assert found[16:] == stored[13:]


def test_sql_is_loaded_back_into_postgres(service: Service, person: Person, valued: int) -> None:
    script = export(person, valued, format="sql", dialect="postgresql", create_table=True).content.decode()
    with service.database() as connection:
        connection.execute("CREATE SCHEMA loaded")
        try:
            connection.execute("SET search_path TO loaded")
            connection.execute(script.encode())
            loaded = connection.execute(_READ).fetchall()
        finally:
            connection.execute("DROP SCHEMA loaded CASCADE")
    read: dict[str, Any] = {
        "text": str,
        "table": list,
        "amount": Decimal,
        "date": lambda value: value if isinstance(value, date) else date.fromisoformat(value),
    }
    assert {type(row[9]) for row in loaded} == {type(None), Decimal}
    _compare(loaded, _expected(service, valued), read)


def test_sql_is_loaded_back_into_sqlite(service: Service, person: Person, valued: int) -> None:
    script = export(person, valued, format="sql", dialect="sqlite", create_table=True).content.decode()
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(script)
        loaded = connection.execute(_READ).fetchall()
    read: dict[str, Any] = {
        "text": str,
        "table": lambda value: json.loads(value) if isinstance(value, str) else value,
        "amount": str,
        "date": str,
    }
    _compare(loaded, _expected(service, valued), read)


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_sql_that_is_cut_off_stores_nothing(person: Person, valued: int, dialect: str) -> None:
    lines = export(person, valued, format="sql", dialect=dialect).content.decode().splitlines()
    assert lines[-2:] == ["COMMIT;", "-- 6 values"]
    assert "BEGIN;" in lines[:2]
    assert sum(line.startswith("COMMIT") for line in lines) == 1
    assert not any(line.startswith("CREATE") for line in lines)


def test_a_job_and_a_channel_are_exported_in_order(service: Service, person: Person, channel: int, valued: int) -> None:
    empty, other = service.record_documents(person, channel, 2)
    record_value(service, other, "note", text="x")
    template = int(person.post("templates/", json={"channel_id": channel, "name": "Invoice"}).json()["id"])
    job = service.record_job(person, channel, template, [other, empty, valued])

    def ids(path: str) -> list[int]:
        return [document["document_id"] for document in person.get(path).json()["documents"]]

    assert ids(f"batch/{job}/export/?format=json") == [other, empty, valued]
    of_channel = f"export/?channel_id={channel}&format=json"
    assert ids(of_channel) == [valued, empty, other]
    assert ids(f"{of_channel}&after={valued}&before={other}") == [empty]
    answer = person.get(f"batch/{job}/export/?format=csv&validated_only=true&include_metadata=false")
    assert [row["label"] for row in csv.DictReader(io.StringIO(answer.text))] == ["supplier", "date", "total"]
    assert answer.headers["Content-Disposition"] == f'attachment; filename="batch-{job}.csv"'
    assert person.call("DELETE", f"documents/{other}/").status_code == 204
    assert ids(f"batch/{job}/export/?format=json") == [empty, valued]


def test_refusals(person: Person, stranger: Person, channel: int, valued: int) -> None:
    refusal(stranger.post(f"documents/{valued}/export/", json={"format": "json"}), 403, "not_a_member")
    refusal(stranger.get(f"export/?channel_id={channel}&format=csv"), 403, "not_a_member")
    refusal(person.post(f"documents/{2**62}/export/", json={"format": "json"}), 404, "no_such_document")
    refusal(person.get(f"batch/{2**62}/export/?format=sql"), 404, "no_such_batch_job")
    refusal(person.get(f"export/?channel_id={2**62}&format=csv"), 404, "no_such_channel")
    refusal(person.get("export/?format=csv"), 422, "invalid")
    refusal(person.get(f"export/?channel_id={channel}"), 422, "invalid")
    for wrong in ({}, {"format": "xlsx"}, {"format": "sql", "dialect": "oracle"}, {"format": "csv", "colour": 1}):
        refusal(person.post(f"documents/{valued}/export/", json=wrong), 422, "invalid")
    body = refusal(person.get(f"export/?channel_id={channel}&format=csv&validated_only=1"), 422, "invalid")
    assert body["errors"][0]["field"] == "validated_only"


def test_a_document_with_more_values_than_are_read_at_a_time(service: Service, person: Person, channel: int) -> None:
    documents = service.record_documents(person, channel, 3)
    for document in documents[::2]:
        service.rows(
            "INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name,"
            " colour, text) SELECT %s, 1, 0, 0, 1, 1, 'f', n::text, '#ffcc00', 'x' FROM generate_series(1, 1203) n"
            " RETURNING id",
            document,
        )
    body = person.get(f"export/?channel_id={channel}&format=json").json()
    assert body["count"] == {"documents": 3, "values": 2406}
    found = [[int(value["label"]) for value in document["values"]] for document in body["documents"]]
    assert found == [list(range(1, 1204)), [], list(range(1, 1204))]


@pytest.fixture(scope="module")
def large(service: Service) -> tuple[Person, int]:
    """A channel with 10,000 documents, whose export has more than 10 MB, too many to be kept compressed."""
    person = Person(service)
    channel = person.create_channel()
    service.record_documents(person, channel, 10_000)
    digits = "(SELECT string_agg(md5(d.id::text || n), '') FROM generate_series(1, 16) n)"
    _annotate(service, channel, digits)
    return person, channel


def _annotate(service: Service, channel: int, text: str) -> None:
    """Give each document of a channel a value with this text, an SQL expression."""
    service.rows(
        "INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name,"
        f" colour, text) SELECT d.id, 1, 0, 0, 1, 1, 'f', 'total', '#ffcc00', {text} FROM documents d"
        " WHERE d.channel_id = %s RETURNING id",
        channel,
    )


# A request's other statements need no transaction that outlives them.
_EXPORTING = "xact_start IS NOT NULL AND application_name = 'data-processor'"


def _address(service: Service, channel: int, kind: str = "json") -> str:
    return f"{service.base}export/?channel_id={channel}&format={kind}"


def _headers(person: Person) -> dict[str, str]:
    return {name: str(value) for name, value in person._session.headers.items()}


def test_a_large_export_is_resumed_where_it_was_cut_off(service: Service, large: tuple[Person, int]) -> None:
    person, channel = large
    path = f"export/?channel_id={channel}&format=csv"
    whole = person.get(path)
    size = len(whole.content)
    assert size > 5_000_000
    assert whole.headers["Content-Length"] == str(size)
    assert whole.headers["ETag"] == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    start = size // 2 + 1
    rest = person.get(path, headers={"Range": f"bytes={start}-", "If-Range": whole.headers["ETag"]})
    assert (rest.status_code, rest.headers["Content-Range"]) == (206, f"bytes {start}-{size - 1}/{size}")
    assert rest.content == whole.content[start:]
    assert person.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert person.call("HEAD", path).headers["Content-Length"] == str(size)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_large_export_that_is_kept_compressed_is_sent_whole_and_holds_no_transaction(
    service: Service, person: Person, channel: int, kind: str
) -> None:
    service.record_documents(person, channel, 2_000)
    _annotate(service, channel, "repeat('wide ', 1000)")
    with _begin(service, person, _address(service, channel, kind)):
        assert _in_transaction(service) == 0
    path = f"export/?channel_id={channel}&format={kind}"
    whole = person.get(path)
    assert len(whole.content) > 10_000_000
    assert whole.headers["ETag"] == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    assert whole.content.count(b"wide wide") >= 2_000
    start = len(whole.content) - 70_001
    assert person.get(path, headers={"Range": f"bytes={start}-"}).content == whole.content[start:]


def test_ten_thousand_documents_need_no_more_memory_than_ten(service: Service, large: tuple[Person, int]) -> None:
    person, channel = large
    ((tenth,),) = service.rows("SELECT id FROM documents WHERE channel_id = %s ORDER BY id OFFSET 10 LIMIT 1", channel)
    path = f"export/?channel_id={channel}&format=json"
    for _ in range(8):
        # Each of the server's threads may be the first one to have read a chunk.
        assert person.get(f"{path}&before={tenth}").json()["count"]["documents"] == 10
    ((second,),) = service.rows(
        "SELECT id FROM documents WHERE channel_id = %s ORDER BY id OFFSET 200 LIMIT 1", channel
    )
    person.get(f"{path}&before={second}")

    most = [0]
    done = threading.Event()
    before = _memory(service)

    def watch() -> None:
        while not done.wait(0.01):
            most[0] = max(most[0], _memory(service))

    watching = threading.Thread(target=watch)
    watching.start()
    size = 0
    with requests.get(_address(service, channel), headers=_headers(person), stream=True, timeout=60) as answer:
        for block in answer.iter_content(1 << 16):
            size += len(block)
    done.set()
    watching.join()
    assert size == int(answer.headers["Content-Length"]) > 10_000_000
    assert most[0] - before < size / 2, (before, most[0], size)


def _memory(service: Service) -> int:
    return sum(process.memory_info().rss for process in service.processes())


def _begin(service: Service, person: Person, address: str) -> socket.socket:
    """Request an address, and return the connection once a first part of the answer's body was read."""
    host, port = address.split("/")[2].split(":")
    path = address.split(f":{port}", 1)[1]
    connection = socket.socket()
    connection.settimeout(60)
    # Most of the answer waits in the server until it is read.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((host, int(port)))
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}"]
    lines += [f"{name}: {value}" for name, value in _headers(person).items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    return connection


def test_an_export_whose_connection_to_postgres_ends_is_cut_off(service: Service, large: tuple[Person, int]) -> None:
    person, channel = large
    expected = person.call("HEAD", f"export/?channel_id={channel}&format=csv").headers["Content-Length"]
    with _begin(service, person, _address(service, channel, "csv")) as connection:
        ended = service.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_EXPORTING}")
        assert ended == [(True,)]
        received = _rest(connection)
    # Beside the first part, which may be all that was sent.
    assert received < int(expected)
    short, headers = _address(service, channel, "csv") + "&before=1", _headers(person)

    def works() -> bool:
        # New connections, so that each server process gets some of them.
        return all(requests.get(short, headers=headers, timeout=60).status_code == 200 for _ in range(20))

    wait_until(works, "exports work again")
    assert _in_transaction(service) == 0


def _rest(connection: socket.socket) -> int:
    size = 0
    while block := connection.recv(1 << 20):
        size += len(block)
    return size


def _in_transaction(service: Service) -> int:
    return len(service.rows(f"SELECT 1 FROM pg_stat_activity WHERE {_EXPORTING}"))


def test_a_client_that_goes_away_leaves_no_transaction(service: Service, large: tuple[Person, int]) -> None:
    person, channel = large
    with _begin(service, person, _address(service, channel)):
        assert _in_transaction(service) == 1
    wait_until(lambda: _in_transaction(service) == 0, "the transaction has ended")
