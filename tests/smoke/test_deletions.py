"""Deletion of channels and accounts, over HTTP and in the database.

Protects from deleted data that stays, and data that is deleted with it by mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from websockets.exceptions import InvalidStatus

from plumbline.verification.checks import findings, rows, samples, sessions
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX

Database = psycopg.Connection[dict[str, Any]]
IN_A_CHANNEL = ("memberships", "messages", "documents", "templates")


def create_content(user: User, channel: int) -> dict[str, int]:
    """Create one of everything in a channel; return the ids by table."""
    message = user.post(f"/channels/{channel}/messages", {"content": "remember me"}).expect(201)
    document = user.upload(channel, f"{PREFIX}kept.png", samples.png()).expect(201)
    mark = {"page": 1, "bounding_box": {"x": 1, "y": 2, "width": 3, "height": 4}, "label_type": "a", "label_name": "b"}
    annotation = user.post(f"/data-processor/documents/{document['id']}/annotations/", mark).expect(201)
    template = user.post("/data-processor/templates/", {"channel_id": channel, "name": f"{PREFIX}kept"}).expect(201)
    return {
        "messages": message["id"], "documents": document["id"], "annotations": annotation["id"],
        "templates": template["id"],
    }  # fmt: skip


def test_deleting_a_channel_deletes_its_content(alice: User, bob: User, database: Database) -> None:
    channel, other = alice.create_channel(), alice.create_channel()
    bob.post(f"/channels/{channel['id']}/join").expect(200)
    made, kept = create_content(alice, channel["id"]), create_content(alice, other["id"])
    bob.delete(f"/channels/{channel['id']}").expect_problem(403)
    with alice.socket() as hers, bob.socket() as his:
        assert alice.delete(f"/channels/{channel['id']}").status == 204
        for socket in (hers, his):
            frame = socket.wait_for("channel_deleted", channel_id=channel["id"])
            assert (frame["channel_name"], frame["deleted_by"]) == (channel["name"], alice.id)
            assert len([one for one in socket.drain() if one["type"] == "channel_deleted"]) == 1
    assert rows.many(database, "channels", id=channel["id"]) == []
    for table in IN_A_CHANNEL:
        assert rows.many(database, table, channel_id=channel["id"]) == []
        assert rows.many(database, table, channel_id=other["id"]) != []
    assert rows.many(database, "annotations", document_id=made["documents"]) == []
    assert len(rows.many(database, "annotations", document_id=kept["documents"])) == 1
    alice.delete(f"/channels/{channel['id']}").expect_problem(404)
    alice.get(f"/data-processor/documents/{made['documents']}/").expect_problem(404)


def test_deleting_an_account_keeps_its_content_without_a_name(
    new_user: Callable[[], User], bob: User, database: Database
) -> None:
    leaver = new_user()
    room, alone = bob.create_channel(), leaver.create_channel("private")
    leaver.post(f"/channels/{room['id']}/join").expect(200)
    made = create_content(leaver, room["id"])
    create_content(leaver, alone["id"])
    leaver.call("DELETE", "/auth/me", json={"password": "not it"}).expect_problem(403)
    answer = leaver.call("DELETE", "/auth/me", json={"password": leaver.password})
    assert answer.status == 204
    assert "access_token=" in answer.headers["Set-Cookie"]
    assert rows.many(database, "users", id=leaver.id) == []
    assert rows.many(database, "memberships", user_id=leaver.id) == []
    assert rows.many(database, "channels", id=alone["id"]) == []
    authors = {"messages": "sender_id", "documents": "uploaded_by"}
    for table, row_id in made.items():
        assert rows.one(database, table, id=row_id)[authors.get(table, "created_by")] is None
    listed = bob.get(f"/channels/{room['id']}/messages").expect(200)["items"]
    shown = {one["id"]: (one["username"], one["display_name"]) for one in listed}[made["messages"]]
    assert shown == ("(deleted)", "Deleted user"), f"backend: the message of a deleted user is shown as {shown}"
    assert bob.get(f"/data-processor/documents/{made['documents']}/content").status == 200
    leaver.login().expect_problem(401)


def test_the_token_of_a_deleted_account_is_refused(new_user: Callable[[], User]) -> None:
    leaver = new_user()
    paths = ("/auth/me", "/auth/operator", "/channels/", "/channels/search?name=a", "/data-processor/templates/")
    for path in paths:
        leaver.get(path)
    assert leaver.call("DELETE", "/auth/me", json={"password": leaver.password}).status == 204
    # Processes cache the existence of a user for two seconds.
    for path in paths:
        sessions.refused_by_all(leaver, path)
    with findings.refused(
        "backend: a socket of a deleted account", by=InvalidStatus, saying="HTTP 401",
        then="services/backend/backend/routes/live.py admits sockets",
    ), leaver.socket():  # fmt: skip
        pass
