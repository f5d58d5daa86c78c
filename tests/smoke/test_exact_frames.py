"""Each event reaches exactly the sockets that it is for, once, in order, and with exactly its fields.

Protects from events that reach the wrong users, come twice, or in the wrong order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from plumbline.verification.checks import findings, frames, samples
from plumbline.verification.checks.client import Socket, User
from plumbline.verification.checks.created import PREFIX
from plumbline.verification.checks.reading import wait_until_read


def _type(frame: dict[str, Any]) -> str:
    return str(frame["type"])


class Room:
    """A channel with the sockets of its two members, alice and bob, and of carol, who is in no channel of theirs."""

    def __init__(self, alice: User, bob: User, carol: User, sockets: ExitStack) -> None:
        self.alice, self.bob, self.carol = alice, bob, carol
        self.channel = alice.create_channel()
        bob.post(f"/channels/{self.channel['id']}/join").expect(200)
        self.path = f"/channels/{self.channel['id']}"
        self._ends = {user.username: user.create_channel("private")["id"] for user in (alice, bob, carol)}
        self.sockets: dict[str, Socket] = {
            name: sockets.enter_context(user.socket())
            for name, user in (("alice", alice), ("bob", bob), ("carol", carol))
        }
        self.frames()

    def frames(self) -> dict[str, list[dict[str, Any]]]:
        """Return what each socket has received since the last call.

        All events pass one Redis channel in one order: when the message that each user posts now has arrived, all that
        was sent before has arrived, too.
        """
        received = {}
        for name, user in (("alice", self.alice), ("bob", self.bob), ("carol", self.carol)):
            socket = self.sockets[name]
            end = user.post(f"/channels/{self._ends[user.username]}/messages", {"content": "end"}).expect(201)
            socket.wait_for("message", id=end["id"])
            received[name] = socket.received[:-1]
            socket.received = []
        return received

    def require(self, *, in_order: bool = True, **expected: list[str]) -> dict[str, list[dict[str, Any]]]:
        """Fail unless each socket has received frames of exactly these types; return the frames."""
        found = self.frames()
        types = {name: list(map(_type, some)) for name, some in found.items()}
        if not in_order:
            types = {name: sorted(one) for name, one in types.items()}
        wanted = {"alice": [], "bob": [], "carol": []} | expected
        assert types == wanted, f"backend: expected the frames {wanted}, found {types}"
        for frame in (frame for some in found.values() for frame in some):
            relayed = frame["type"] in frames.RELAYED and "id" not in frame
            assert relayed or frame.keys() == frames.FIELDS[frame["type"]], frame
            wrong = frames.faults(frame)
            assert wrong == [], f"the frame {frame} is not as docs/generated/asyncapi.json says: {wrong}"
        return found


@pytest.fixture(scope="module")
def carol(new_user: Callable[..., User]) -> User:
    return new_user()


@pytest.fixture
def room(alice: User, bob: User, carol: User) -> Iterator[Room]:
    with ExitStack() as sockets:
        yield Room(alice, bob, carol, sockets)


def test_a_posted_message_reaches_each_member_once(room: Room) -> None:
    posted = room.alice.post(f"{room.path}/messages", {"content": "exactly once"}).expect(201)
    found = room.require(alice=["message"], bob=["message"])
    assert found["alice"] == found["bob"] == [{"type": "message", **posted}]


def test_a_relayed_message_reaches_each_member_once(room: Room) -> None:
    relayed = {"type": "message", "channel_id": room.channel["id"], "content": "fleeting"}
    room.sockets["alice"].send(relayed)
    room.sockets["bob"].wait_for("message", content="fleeting")
    room.sockets["alice"].wait_for("message", content="fleeting")
    found = room.require(alice=["message"], bob=["message"])
    assert found["alice"] == found["bob"] == [relayed]


def test_typing_names_its_true_user_whatever_the_client_says(room: Room) -> None:
    said = {"type": "typing", "channel_id": room.channel["id"], "user_id": room.bob.id}
    room.sockets["alice"].send(said)
    room.sockets["bob"].wait_for("typing")
    room.sockets["alice"].wait_for("typing")
    found = room.require(alice=["typing"], bob=["typing"])
    assert found["alice"] == found["bob"] == [said | {"user_id": room.alice.id}]


@pytest.mark.parametrize("kind", ["message", "typing"])
def test_a_relayed_frame_names_its_true_sender_whatever_the_client_says(room: Room, kind: str) -> None:
    bob, alice = ({"sender_id": user.id, "user_id": user.id, "username": user.username,
                   "display_name": user.registered["display_name"]} for user in (room.bob, room.alice))  # fmt: skip
    said = {"type": kind, "channel_id": room.channel["id"], "content": "as bob", **bob}
    room.sockets["alice"].send(said)
    for name in ("alice", "bob"):
        room.sockets[name].wait_for(kind, content="as bob")
    found = room.require(alice=[kind], bob=[kind])
    expected = said | alice
    for name in ("alice", "bob"):
        assert found[name] == [expected], f"backend: expected the frame {expected}, found {found[name]}"


def test_a_renamed_channel_is_announced_once_to_each_member(room: Room) -> None:
    name = f"{room.channel['name']}-new"
    room.alice.patch(room.path, {"name": name}).expect(200)
    room.alice.patch(room.path, {"name": name}).expect(200)
    found = room.require(alice=["channel_renamed"], bob=["channel_renamed"])
    expected = {"type": "channel_renamed", "channel_id": room.channel["id"], "channel_name": name,
                "renamed_by": room.alice.id}  # fmt: skip
    assert found["alice"] == found["bob"] == [expected], f"backend: expected {expected}, found {found}"


def test_a_removed_member_is_announced_once_to_all_and_to_that_user(room: Room) -> None:
    assert room.alice.delete(f"{room.path}/members/{room.bob.id}").status == 204
    found = room.require(alice=["leave"], bob=["leave"])
    assert found["alice"] == found["bob"]
    (frame,) = found["bob"]
    assert (frame["user_id"], frame["channel_id"]) == (room.bob.id, room.channel["id"]), f"backend: found {frame}"


def test_a_relayed_frame_cannot_look_like_one_without_a_sender(room: Room) -> None:
    """Protects from a user whose frame passes for one of the server."""
    said = {"type": "message", "channel_id": room.channel["id"], "content": "welcome", "sender_id": None}
    room.sockets["alice"].send(said)
    for name in ("alice", "bob"):
        frame = room.sockets[name].wait_for("message", content="welcome")
        assert frame == said | {"sender_id": room.alice.id}, f"backend: the frame names another sender: {frame}"


def test_a_ping_is_answered_to_its_socket_alone(room: Room) -> None:
    room.sockets["alice"].send({"type": "ping", "payload": {"sent_at_ms": 4711}})
    room.sockets["alice"].wait_for("pong")
    found = room.require(alice=["pong"])
    findings.require_fields(found["alice"][0], {"type", "timestamp", "payload"}, of="a pong")


def test_an_upload_is_announced_to_each_member_once(room: Room) -> None:
    document = room.alice.upload(room.channel["id"], f"{PREFIX}frame.pdf", samples.pdf("Invoice 4711")).expect(201)
    wait_until_read(room.alice, document["id"])
    for name in ("alice", "bob"):
        room.sockets[name].wait_for("ocr_complete", document_id=document["id"])
    # The service and the worker publish for themselves, so the order of their frames is not defined.
    kinds = ["document_uploaded", "ocr_complete", "ocr_progress"]
    found = room.require(in_order=False, alice=kinds, bob=kinds)
    about = {"document_id": document["id"], "channel_id": room.channel["id"]}
    alices, bobs = (sorted(found[name], key=_type) for name in ("alice", "bob"))
    uploaded, complete, progress = alices
    assert alices == bobs
    assert uploaded == {
        "type": "document_uploaded", **about, "uploaded_by": room.alice.id, "filename": document["filename"],
        "thumbnail_url": document["urls"]["thumbnail"],
    }  # fmt: skip
    assert progress == {
        "type": "ocr_progress", **about, "stage": "preprocessing", "progress": 0, "message": "page 1 of 1",
    }  # fmt: skip
    (region,) = complete.pop("detected_regions")
    assert complete == {
        "type": "ocr_complete", **about, "text_status": "done", "text_error": None, "extracted_text": "Invoice 4711",
    }  # fmt: skip
    fields = {"id", "type", "page", "x", "y", "width", "height", "text", "confidence"}
    findings.require_fields(region, fields, of="a region in a frame", component="data-processor")


def test_a_leaving_and_joining_is_announced_once_and_welcomed_to_the_joiner_alone(room: Room) -> None:
    room.bob.post(f"{room.path}/leave")
    left = room.require(alice=["leave"])
    room.bob.post(f"{room.path}/join").expect(200)
    found = room.require(alice=["join"], bob=["join", "message"])
    who = {
        "user_id": room.bob.id, "username": room.bob.username, "display_name": room.bob.username,
        "channel_id": room.channel["id"], "channel_name": room.channel["name"],
    }  # fmt: skip
    assert left["alice"] == [{"type": "leave", **who}]
    assert found["alice"] == found["bob"][:1] == [{"type": "join", **who}]
    assert (found["bob"][1]["sender_id"], found["bob"][1]["target_user_id"]) == (None, room.bob.id)


def test_joining_again_announces_nothing(room: Room) -> None:
    room.bob.post(f"{room.path}/join").expect(200)
    room.alice.post(f"{room.path}/members", {"user_id": room.bob.id}).expect(200)
    room.require()


def test_a_deleted_channel_is_announced_to_each_member_once(room: Room) -> None:
    assert room.alice.delete(room.path).status == 204
    found = room.require(alice=["channel_deleted"], bob=["channel_deleted"])
    gone = {"channel_id": room.channel["id"], "channel_name": room.channel["name"], "deleted_by": room.alice.id}
    assert found["alice"] == found["bob"] == [{"type": "channel_deleted", **gone}]


def test_refused_calls_and_frames_announce_nothing_to_others(room: Room) -> None:
    room.carol.post(f"{room.path}/messages", {"content": "let me in"}).expect_problem(403)
    room.bob.delete(room.path).expect_problem(403)
    room.carol.upload(room.channel["id"], f"{PREFIX}no.png", samples.png()).expect_problem(403)
    room.sockets["carol"].send({"type": "message", "channel_id": room.channel["id"], "content": "let me in"})
    room.sockets["carol"].wait_for("error")
    room.sockets["carol"].send({"type": "typing", "channel_id": room.channel["id"]})
    room.sockets["carol"].wait_for("error")
    found = room.require(carol=["error", "error"])
    for frame in found["carol"]:
        assert frame.keys() >= {"type", "code", "detail"}


def test_a_user_who_is_added_by_another_is_announced_and_welcomed_alike(room: Room) -> None:
    room.alice.post(f"{room.path}/members", {"user_id": room.carol.id}).expect(201)
    found = room.require(alice=["join"], bob=["join"], carol=["join", "message"])
    assert found["alice"] == found["bob"] == found["carol"][:1]
    assert found["alice"][0]["user_id"] == room.carol.id
    welcome = room.carol.get(f"{room.path}/messages").expect(200)["items"][-1]
    assert found["carol"][1] == {"type": "message", **welcome}
    room.carol.post(f"{room.path}/leave")


def test_a_new_channel_welcomes_its_creator_alone(room: Room) -> None:
    channel = room.bob.create_channel("private")
    found = room.require(bob=["message"])
    welcome = room.bob.get(f"/channels/{channel['id']}/messages").expect(200)["items"][-1]
    assert found["bob"] == [{"type": "message", **welcome}]


def test_a_new_direct_channel_is_announced_to_its_two_members(room: Room, new_user: Callable[..., User]) -> None:
    other = new_user()
    with other.socket() as theirs:
        channel = room.alice.post(f"/channels/dm/{other.id}").expect(201)
        other.post(f"/channels/dm/{room.alice.id}").expect(200)
        found = room.require(alice=["join", "join"])
        joined = theirs.drain()[:-1]
    assert [frame["user_id"] for frame in found["alice"]] == [room.alice.id, other.id]
    assert [frame["username"] for frame in found["alice"]] == [room.alice.username, other.username]
    assert joined == found["alice"]
    assert {frame["channel_id"] for frame in joined} == {channel["id"]}


def test_a_deleted_account_leaves_its_channels_and_its_sockets_are_closed(
    room: Room, new_user: Callable[..., User]
) -> None:
    leaver = new_user()
    room.alice.post(f"{room.path}/members", {"user_id": leaver.id}).expect(201)
    room.frames()
    with leaver.socket() as theirs:
        assert leaver.call("DELETE", "/auth/me", json={"password": leaver.password}).status == 204
        code = theirs.closed_with()
    assert code == 4401, f"backend: closed the socket of a deleted user with {code}; expected 4401"
    found = room.require(alice=["leave"], bob=["leave"])
    who = {
        "user_id": leaver.id, "username": leaver.username, "display_name": leaver.username,
        "channel_id": room.channel["id"], "channel_name": room.channel["name"],
    }  # fmt: skip
    assert found["alice"] == found["bob"] == [{"type": "leave", **who}]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "invalid_json"), ("[]", "invalid_frame"), ('{"type": 7}', "invalid_frame"), (b"{}", "binary_frame"),
        ('{"type": "other"}', "unknown_type"), ('{"type": "message"}', "invalid_frame"),
        ('{"type": "typing", "channel_id": "1"}', "invalid_frame"), ('{"type": "ping"}', "invalid_frame"),
        ('{"type": "typing", "channel_id": true}', "invalid_frame"),
        ('{"type": "typing", "channel_id": 0}', "invalid_frame"),
        ('{"type": "message", "channel_id": 4611686018427387904}', "not_a_member"),
        (b'{"type": "ping", "payload": {"sent_at_ms": 1}}', "binary_frame"),
    ],
)  # fmt: skip
def test_a_bad_frame_is_refused_by_its_reason(alice: User, frame: str | bytes, code: str) -> None:
    """Protects from programs that cannot tell what was wrong with their frame."""
    with alice.socket() as hers:
        hers.send(frame)
        error = hers.wait_for("error")
        assert (error.keys(), error["code"]) == ({"type", "code", "detail"}, code), (
            f"{frame!r}: expected {code}: {error}"
        )
        hers.drain()
        assert [one["type"] for one in hers.received] == ["error", "pong"], frame


def test_a_pong_holds_the_number_of_its_ping_and_nothing_else(alice: User) -> None:
    """Protects from clients that take their connection for dead, because they cannot tell which ping was answered."""
    with alice.socket() as hers:
        hers.send({"type": "ping", "payload": {"sent_at_ms": 1.5, "more": "kept to itself"}, "more": 1})
        pong = hers.wait_for("pong")
    assert pong == {"type": "pong", "timestamp": pong["timestamp"], "payload": {"sent_at_ms": 1.5}}


def test_the_size_of_frames_is_counted_in_bytes(alice: User) -> None:
    """Protects from frames of long letters that are larger than the limit, and pass it."""
    with alice.socket() as hers:
        hers.send('{"type": "ping", "payload": {"sent_at_ms": 1}, "more": "' + "ü" * 40_000 + '"}')
        code = hers.closed_with()
    assert code == 1009, f"backend: a frame of 80,000 bytes in 40,000 characters: expected close code 1009, got {code}"


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://127.0.0.1:1", ""])
def test_a_page_of_another_site_cannot_open_a_socket(alice: User, origin: str) -> None:
    """Protects from a page of another site that listens with the visitor's session."""
    cookie = {"Cookie": f"access_token={alice.token}", "Origin": origin}
    with findings.refused(
        f"backend: a socket for a page of {origin!r}", by=InvalidStatus, saying="HTTP 403",
        then="services/backend/backend/routes/live.py admits sockets",
    ), alice.socket(additional_headers=cookie):  # fmt: skip
        pass


def test_every_socket_of_a_user_gets_every_frame_once(room: Room) -> None:
    with room.bob.socket() as second:
        with room.bob.socket():
            pass  # closing one socket must not concern the others
        posted = room.alice.post(f"{room.path}/messages", {"content": "to all"}).expect(201)
        found = room.require(alice=["message"], bob=["message"])
        second.wait_for("message", id=posted["id"])
        assert second.received == found["bob"], f"another socket of the user got {second.received}"


def test_frames_arrive_in_the_order_of_their_events(room: Room) -> None:
    sent = [
        room.alice.post(f"{room.path}/messages", {"content": str(number)}).expect(201)["id"] for number in range(20)
    ]
    found = room.require(alice=["message"] * 20, bob=["message"] * 20)
    for name in ("alice", "bob"):
        order = [frame["id"] for frame in found[name]]
        assert order == sent, f"backend: the messages {sent} arrived as {order}"
