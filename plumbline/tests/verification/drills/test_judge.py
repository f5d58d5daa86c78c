"""A drill is red for each promise that a stack can break, and green only if it broke none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from plumbline.verification.drills.judge import Verdict, judge
from plumbline.verification.drills.seen import Connection, Heard, Ledger, Refusal, Seen, Stored, Write

CHANNEL = 1
WRITES = 5


def seen() -> Seen:
    """Return a drill in which a socket of each kind was closed once, and nothing went wrong."""
    writes = [Write("message", f"mark {one}", one, CHANNEL, float(one), one + 0.1) for one in range(1, WRITES + 1)]
    writes.append(Write("annotation", "label", 1, CHANNEL, 3.0, 3.1))
    keys = [(one.kind, one.id) for one in writes if one.kind == "message"]
    heard = [
        Heard(
            CHANNEL, resumes, set(keys),
            [Connection(0.5, 2.5, "1012", Counter(keys[:2])), Connection(2.6, got=Counter(keys[2:]))],
        )
        for resumes in (True, False)
    ]  # fmt: skip
    refusals = [Refusal(503, "database_away", 5.2), Refusal(409, "key_in_use", 0.1)]
    stored = [Stored(one.kind, one.id, one.mark, one.channel) for one in writes]
    return Seen(Ledger("drill", writes, refusals), heard, stored)


def verdict(found: Seen, **how: bool) -> Verdict:
    return judge(found, writes_min=WRITES, **how)


def test_a_drill_without_a_broken_promise_passes() -> None:
    found = verdict(seen())
    assert found.findings == []
    assert (found.acknowledged, found.lost, found.doubled, found.unclear) == (WRITES + 1, 0, 0, 0)
    assert found.refusals == {"409 key_in_use": 1, "503 database_away": 1}
    assert (found.slowest_refusal_s, found.longest_pause_s) == (5.2, 1.0)
    assert (found.ordinary.missed, found.ordinary.gaps, found.ordinary.closes) == (0, 0, {"1012": 1})


def lose_a_row(found: Seen) -> None:
    found.stored = [one for one in found.stored if one.mark != "mark 3"]


def store_under_another_id(found: Seen) -> None:
    found.stored = [replace(one, id=99) if one.mark == "label" else one for one in found.stored]


def double_a_row(found: Seen) -> None:
    found.stored = [*found.stored, Stored("annotation", 99, "label", CHANNEL)]


def give_up(found: Seen) -> None:
    found.ledger.given_up.append("message: answered 403 no")


def leave_unread(found: Seen) -> None:
    found.unread = 2


def answer_unclearly(found: Seen) -> None:
    found.ledger.refusals.append(Refusal(503, "none", 1.0, "Traceback in the body"))


def answer_500(found: Seen) -> None:
    found.ledger.refusals.append(Refusal(500, "internal_error", 1.0))


def end_a_session(found: Seen) -> None:
    found.ledger.refusals.append(Refusal(401, "unauthenticated", 1.0))


def answer_late(found: Seen) -> None:
    found.ledger.refusals.append(Refusal(503, "overloaded", 10.4))


def answer_nothing(found: Seen) -> None:
    found.ledger.unanswered.append("ConnectionError")


def never_recover(found: Seen) -> None:
    found.recovered_s = None


def miss_while_resuming(found: Seen) -> None:
    forget(found.heard[0])


def miss_on_an_open_socket(found: Seen) -> None:
    forget(found.heard[1])


def forget(listener: Heard) -> None:
    listener.known.remove(("message", 4))
    del listener.connections[1].got["message", 4]


def leave_a_gap_open_that_a_list_filled(found: Seen) -> None:
    del found.heard[1].connections[1].got["message", 4]


def resume_with_an_event_twice(found: Seen) -> None:
    found.heard[0].connections[1].got["message", 2] += 1


def send_twice(found: Seen) -> None:
    found.heard[1].connections[1].got["message", 4] += 1


def send_out_of_order(found: Seen) -> None:
    found.heard[0].out_of_order = 1


def write_too_little(found: Seen) -> None:
    found.ledger.writes[:] = found.ledger.writes[: WRITES - 1]


BROKEN = {
    lose_a_row: "lost: message 3 (mark 3)",
    store_under_another_id: "lost: annotation 1 (label)",
    double_a_row: "stored twice: label",
    give_up: "given up: message: answered 403 no",
    leave_unread: "2 documents were never read",
    answer_unclearly: "unclear answer 503 none: Traceback in the body",
    answer_500: "unexpected answer: 500 internal_error (1 times)",
    end_a_session: "unexpected answer: 401 unauthenticated (1 times)",
    answer_late: "a refusal took 10.4 s; clients wait 10 s",
    answer_nothing: "1 requests got no answer, though the front door was there: {'ConnectionError': 1}",
    never_recover: "a writer had no write acknowledged after the disturbance",
    miss_while_resuming: "sockets that resume missed 1 events, and nothing told them",
    miss_on_an_open_socket: "ordinary sockets missed 1 events, and nothing told them",
    leave_a_gap_open_that_a_list_filled: "1 ordinary sockets have a gap and were not closed",
    resume_with_an_event_twice: "sockets that resume got 1 events twice",
    send_twice: "ordinary sockets got 1 events twice",
    send_out_of_order: "sockets that resume got 1 events out of order",
    write_too_little: "4 writes were acknowledged; at least 5 are needed",
}


@pytest.mark.parametrize("break_it", BROKEN, ids=lambda one: one.__name__)
def test_each_broken_promise_fails_the_drill(break_it: Callable[[Seen], None]) -> None:
    found = seen()
    break_it(found)
    assert BROKEN[break_it] in verdict(found).findings


def test_a_gap_before_a_close_is_counted_and_allowed() -> None:
    found = seen()
    del found.heard[1].connections[0].got["message", 1]
    told = verdict(found)
    assert (told.ordinary.gaps, told.ordinary.silent_gaps, told.findings) == (1, 0, [])


def test_what_a_drill_itself_causes_is_allowed() -> None:
    found = seen()
    answer_nothing(found)
    end_a_session(found)
    assert verdict(found, unanswered=True, signed_out=True).findings == []
