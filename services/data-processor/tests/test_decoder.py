"""A file that exhausts a decoder ends that decoder and delays no other file."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe
from pathlib import Path

import orjson
import psutil
import pytest
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service, refusal
from PIL import Image

from plumbline.verification.throwaway import PostgresServer, RedisServer


@pytest.fixture(scope="module")
def impatient(
    migrated: Service,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """A service of one process with a limit of two seconds per file."""
    folder = tmp_path_factory.mktemp("impatient")
    service = Service(postgres_server, redis_server.url, folder, WORKERS=1, DECODE_TIMEOUT_S=2)
    service.start()
    try:
        service.wait_ready()
        yield service
    finally:
        service.stop()


def _decoders(service: Service) -> list[psutil.Process]:
    return [p for p in service.processes() if any("documents.files.child" in part for part in p.cmdline())]


def test_file_that_takes_too_long_is_refused(impatient: Service) -> None:
    person = Person(impatient)
    channel = person.create_channel()
    body = refusal(person.upload(channel, samples.pdf_bomb()), 422, "too_complex")

    assert "longer than 2 s" in body["detail"]
    assert person.upload(channel, samples.pdf()).status_code == 201
    assert impatient.rows("SELECT count(*) FROM documents WHERE channel_id = %s", channel) == [(1,)]


def test_others_are_served_while_files_are_decoded(impatient: Service) -> None:
    person = Person(impatient)
    channel = person.create_channel()
    bomb = samples.pdf_bomb()
    with ThreadPoolExecutor(2) as attackers:
        attacks = [attackers.submit(Person.upload, person, channel, bomb) for _ in range(2)]
        while not all(attack.done() for attack in attacks):
            assert Person(impatient).get("templates/").status_code == 200
    for attack in attacks:
        refusal(attack.result(), 422, "too_complex")


def test_a_page_that_cannot_be_drawn_is_refused_and_the_others_are_drawn(impatient: Service) -> None:
    person = Person(impatient)
    data = samples.pdf_that_draws_for_ever("First page", "Third page")
    document = person.upload(person.create_channel(), data).json()

    body = refusal(person.get(f"documents/{document['id']}/pages/2/image"), 404, "no_thumbnail")
    assert body["detail"] == "no picture can be made of page 2: the file takes longer than 2 s to decode"
    assert person.get(f"documents/{document['id']}/pages/3/image").status_code == 200


def test_decoder_that_dies_affects_no_other_file(impatient: Service) -> None:
    person = Person(impatient)
    channel = person.create_channel()
    assert person.upload(channel, samples.image()).status_code == 201
    for process in _decoders(impatient):
        process.kill()

    assert person.upload(channel, samples.image()).status_code == 201


def test_notes_of_a_decoder_are_entries_of_the_log(impatient: Service) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\xff\0\0\0\xff\xff\0\0"
    file = io.BytesIO()
    Image.new("RGB", (30, 20)).save(file, "JPEG", exif=exif)
    person = Person(impatient)
    answer = person.upload(person.create_channel(), file.getvalue())
    assert answer.status_code == 201, answer.text
    (entry,) = impatient.wait_for_entries(
        "the note", request_id=answer.headers["X-Request-Id"], message="a decoder wrote a note about a file"
    )
    assert (entry["level"], entry["fields"]["media_type"]) == ("info", "image/jpeg")
    assert "Corrupt EXIF data" in entry["fields"]["notes"]
    others = [line for line in impatient.log.read_text().splitlines() if not line.startswith("{")]
    assert not any("EXIF" in line for line in others)


def test_decoders_end_with_their_service(
    migrated: Service, postgres_server: PostgresServer, redis_server: RedisServer, own_folder: Path
) -> None:
    service = Service(postgres_server, redis_server.url, own_folder, WORKERS=1)
    service.start()
    try:
        service.wait_ready()
        person = Person(service)
        assert person.upload(person.create_channel(), samples.image()).status_code == 201
        decoders = _decoders(service)
        assert decoders
    finally:
        service.stop()
    gone, alive = psutil.wait_procs(decoders, 30)
    assert (len(gone), alive) == (len(decoders), [])


def test_a_task_without_a_waiting_parent_ends_the_decoder() -> None:
    ours, theirs = Pipe()
    code = (
        "import sys, time; from data_processor.documents.files import child; child._GRACE_S = 0\n"
        "child._TASKS['inspect'] = lambda request, data: time.sleep(3600)\n"
        "child.main(int(sys.argv[1]))"
    )
    decoder = subprocess.Popen(
        [sys.executable, "-c", code, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        assert ours.poll(60)
        assert ours.recv_bytes() == b"started"
        ours.send_bytes(orjson.dumps({"task": "inspect", "timeout_s": 0.5}))
        ours.send_bytes(b"a file")
        assert decoder.wait(30) == -signal.SIGALRM
    finally:
        decoder.kill()
        decoder.wait()


@pytest.mark.parametrize("code", ["data_processor.urls", "data_processor.jobs.kinds"])
def test_only_children_have_decoders(migrated: Service, code: str) -> None:
    """Processes that serve requests and do jobs leave files to children, and need not the memory either."""
    program = f"""
import sys
from data_processor import process
process.configure(forward=False)
import {code}
print(*sorted({{"PIL", "pypdf", "pypdfium2"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=migrated.environment, cwd="/", capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == ""
