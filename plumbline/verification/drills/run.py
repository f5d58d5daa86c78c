"""Runs one drill: starts its clients, disturbs the stack, waits until everything has recovered, and judges."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import psycopg

from plumbline.errors import PlumblineError
from plumbline.patience import Patience
from plumbline.stack import Stack
from plumbline.verification.checks import rows, samples
from plumbline.verification.checks.client import TIMEOUT_S, Answer
from plumbline.verification.drills.clients import Account, Uploader, Writer
from plumbline.verification.drills.declared import Drill
from plumbline.verification.drills.judge import Verdict, judge
from plumbline.verification.drills.listeners import Audience, Listener
from plumbline.verification.drills.seen import Ledger, Seen, Stored
from plumbline.verification.drills.stage import Stage

_CHANNELS = 4
_WRITERS = 2
"""Of each channel."""
_PAUSE_S, _UPLOAD_PAUSE_S = 0.05, 1.0
_WARM = 200
"""Writes that are acknowledged before the disturbance begins."""
_OPEN_S, _RECOVERY_S, _SETTLED_S = 60.0, 240.0, 60.0
_STORED = """
    SELECT 'message' AS kind, id, content AS mark, channel_id AS channel FROM messages
    WHERE channel_id = ANY(%(channels)s) AND starts_with(content, %(run)s)
    UNION ALL
    SELECT 'document', id, regexp_replace(filename, '[.]pdf$', ''), channel_id FROM documents
    WHERE channel_id = ANY(%(channels)s)
    UNION ALL
    SELECT 'annotation', a.id, a.label_name, d.channel_id FROM annotations a JOIN documents d ON d.id = a.document_id
    WHERE d.channel_id = ANY(%(channels)s)
"""
_UNREAD = "SELECT count(*) AS count FROM documents WHERE channel_id = ANY(%(channels)s) AND text_status <> 'done'"


class Crew:
    """The clients of a drill: in each channel two users, writers, an uploader, and both kinds of listeners."""

    def __init__(self, stack: Stack, sockets: int) -> None:
        self.ledger = Ledger()
        self.channels: list[int] = []
        self.writers: list[Writer] = []
        listeners: list[Listener] = []
        for number in range(_CHANNELS):
            owner, member = (Account(stack, f"{self.ledger.run}-{number}-{who}") for who in ("owner", "member"))
            channel = _channel(owner, member, f"#{self.ledger.run}-{number}")
            self.channels.append(channel)
            self.writers += [Writer(self.ledger, owner, channel, _PAUSE_S) for _ in range(_WRITERS)]
            self.writers.append(Uploader(self.ledger, member, channel, _UPLOAD_PAUSE_S, samples.pdf()))
            listeners += [
                Listener((owner, member)[one // 2 % 2], channel, self.ledger.run, resumes=one % 2 == 0)
                for one in range(sockets // _CHANNELS)
            ]
        self.audience = Audience(listeners)

    def have_written_since(self, moment: float) -> bool:
        """Return whether every writer had a write acknowledged that began after a moment."""
        return all(one.last_begun_at > moment for one in self.writers)

    def seen(self, stack: Stack, recovered_s: float | None) -> Seen:
        """Return what the clients saw, and what is stored."""
        given = {"channels": self.channels, "run": self.ledger.run}
        with rows.connect(stack) as database:
            stored = [Stored(**row) for row in database.execute(_STORED, given)]
            unread = (database.execute(_UNREAD, given).fetchone() or {})["count"]
        return Seen(self.ledger, [one.heard for one in self.audience.listeners], stored, unread, recovered_s)


def _channel(owner: Account, member: Account, name: str) -> int:
    with owner.http() as http, member.http() as other:
        made = http.post(f"{owner.base_url}/channels/", json={"name": name, "type": "public"}, timeout=TIMEOUT_S)
        channel = int(Answer(made).expect(201)["id"])
        joined = other.post(f"{owner.base_url}/channels/{channel}/join", timeout=TIMEOUT_S)
        Answer(joined).expect(200)
        return channel


def run(drill: Drill, stage: Stage, writes_min: int) -> Verdict:
    """Run a drill and judge it. Raises PlumblineError if its clients cannot begin."""
    crew = Crew(stage.stack, drill.sockets)
    crew.audience.start()
    try:
        _wait(lambda: crew.audience.is_open, _OPEN_S, "the sockets did not open")
        for one in crew.writers:
            one.start()
        _wait(lambda: len(crew.ledger.writes) >= min(_WARM, writes_min), _OPEN_S, "the writers could not begin")
        failed = _disturbed(drill, stage)
        recovered_s = _recovered(crew, writes_min)
        for one in crew.writers:
            one.end()
        for one in crew.writers:
            one.join(_RECOVERY_S)
        seen = _settled(crew, stage.stack, recovered_s)
        verdict = judge(
            seen, writes_min=writes_min, unanswered=bool(drill.unanswered), signed_out=bool(drill.signed_out)
        )
    finally:
        for one in crew.writers:
            one.end()
        crew.audience.stop()
    return replace(verdict, findings=[*failed, *verdict.findings])


def _disturbed(drill: Drill, stage: Stage) -> list[str]:
    """Disturb the stack; return what went wrong with that."""
    try:
        drill.act(stage)
    except PlumblineError as error:
        stage.run("up")
        return [f"the stack could not be disturbed as wanted: {error}"]
    return []


def _recovered(crew: Crew, writes_min: int) -> float | None:
    """Wait until every writer writes again, and enough is written; return how long the first took."""
    ended_at = time.monotonic()
    recovered_s = None
    while time.monotonic() < ended_at + _RECOVERY_S:
        if recovered_s is None and crew.have_written_since(ended_at):
            recovered_s = time.monotonic() - ended_at
        if recovered_s is not None and len(crew.ledger.writes) >= writes_min:
            break
        time.sleep(0.1)
    return recovered_s


def _settled(crew: Crew, stack: Stack, recovered_s: float | None) -> Seen:
    """Wait until listeners know everything and documents are read, or neither changes any more."""
    patience = Patience(_SETTLED_S)
    while True:
        try:
            seen = crew.seen(stack, recovered_s)
            if not seen.unread and crew.audience.is_open and not seen.unsettled():
                return seen
            sign = (seen.unread, sum(len(seen.missed(one)) for one in seen.heard))
            if patience.is_over(lambda sign=sign: sign):  # type: ignore[misc]
                return seen
        except psycopg.OperationalError:
            if patience.is_over():
                raise
        time.sleep(0.5)


def _wait(condition: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    patience = Patience(timeout_s)
    while not condition():
        if patience.is_over():
            raise PlumblineError(otherwise)
        time.sleep(0.05)
