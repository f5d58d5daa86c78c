"""Names are normalised where they are stored, compared and searched for. Other texts are kept as they are.

Protects from two users or channels whose names look the same.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from plumbline.verification.checks import contract, samples
from plumbline.verification.checks.client import Answer, User
from plumbline.verification.checks.created import PREFIX

DOCUMENTS, TEMPLATES = "/data-processor/documents/", "/data-processor/templates/"
BOX = {"x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2}
SENT = unicodedata.normalize("NFD", "  {} Größe\u00a0  É 👩\u200d🚀 ")
STORED = "{} Größe É 👩\u200d🚀"
"""The name that is sent, and its normal form: NFC, single spaces, none at the ends, and the case as it is."""
REFUSED = {
    "empty": "", "blank": " \u3000 ", "invisible": "\u2060", "two lines": "{}\nname", "control": "{}\x07name",
    "nul": "{}\0name", "invisible inside": "{}\u200bname", "reversed": "{}\u202ename",
}  # fmt: skip
KINDS = ("channel", "template", "label", "label type")


@pytest.fixture(scope="module")
def channel(alice: User) -> int:
    return int(alice.create_channel("private")["id"])


def new_name() -> str:
    """Return a name that nothing has."""
    return f"{PREFIX}{secrets.token_hex(4)}"


def create(user: User, channel: int, kind: str, name: str) -> tuple[Answer, Any]:
    """Create something of this kind; return the answer, and the name in it."""
    if kind == "channel":
        answer = user.post("/channels/", {"name": name, "type": "private"})
        return answer, answer.json.get("name")
    body: dict[str, Any] = {"channel_id": channel, "name": new_name()}
    if kind == "template":
        body["name"] = name
        answer = user.post(TEMPLATES, body)
        return answer, answer.json.get("name")
    field = {"label": "name", "label type": "label_type"}[kind]
    label = {"name": "a", "label_type": "a", "bounding_box": BOX} | {field: name}
    answer = user.post(TEMPLATES, body | {"labels": [label]})
    return answer, answer.json["labels"][0][field] if answer.status == 201 else None


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_is_stored_in_its_normal_form(alice: User, channel: int, kind: str) -> None:
    """Protects from one name that is two, depending on the keyboard that it was typed on."""
    name = new_name()
    answer, stored = create(alice, channel, kind, SENT.format(name))
    answer.expect(201)
    assert stored == STORED.format(name), f"the name of a {kind} is stored as {stored!r}, not in its normal form"


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_name_without_visible_text_or_with_hidden_one_is_refused(
    alice: User, channel: int, kind: str, what: str
) -> None:
    """Protects from names that are invisible, or hide something."""
    answer, _ = create(alice, channel, kind, REFUSED[what].format(new_name()))
    assert answer.status == 422, f"the name of a {kind} that is {what}: expected 422, got {answer.status}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_length_of_names_is_limited_after_their_normalisation(alice: User, channel: int, kind: str) -> None:
    """Protects from names that grow past the limit once they are stored."""
    most = contract.NAME_MAX["channel" if kind == "channel" else "other"]
    longest = f"{new_name()} ".ljust(most, "ü")
    answer, stored = create(alice, channel, kind, f"  {longest}  ")
    answer.expect(201)
    assert stored == longest
    answer, _ = create(alice, channel, kind, f"{longest}ü")
    answer.expect_problem(422)


def test_a_display_name_is_stored_in_its_normal_form_and_is_the_user_name_if_none_is_given(
    alice: User, new_user: Callable[..., User]
) -> None:
    named = new_user(display_name=SENT.format("User"))
    shown = named.registered["display_name"]
    assert shown == STORED.format("User"), f"backend: a display name is stored as {shown!r}, not in its normal form"
    assert alice.registered["display_name"] == alice.username
    for what, name in REFUSED.items():
        answer = alice.register(f"{alice.username[:24]}-{secrets.token_hex(2)}", alice.password, name.format("User"))
        assert answer.status == 422, f"a display name that is {what}: expected 422, got {answer.status}"


def test_public_names_are_compared_without_case_marks_and_ways_of_typing(alice: User) -> None:
    """Protects from a second channel that looks like a known one."""
    name = new_name()
    alice.post("/channels/", {"name": f"#{name} Größe"}).expect(201)
    for same in (f"#{name.upper()} größe", f"##{name} Größe", unicodedata.normalize("NFD", f"#{name} Größe")):
        answer = alice.post("/channels/", {"name": same})
        assert answer.status == 409, f"{same!r} is taken: expected 409, got {answer.status}"


@pytest.mark.parametrize("kind", ["public", "private"])
def test_channels_are_found_by_the_beginning_of_their_name_in_any_case(alice: User, kind: str) -> None:
    name = f"{'#' if kind == 'public' else ''}{new_name()} Möwe 50%_\\"
    channel = alice.post("/channels/", {"name": name, "type": kind}).expect(201)["id"]
    plain = name.lstrip("#")
    for wanted, there in (
        (plain, True), (f"#{plain}", True), (plain.swapcase(), True), (f"  {plain}  ", True),
        (unicodedata.normalize("NFD", plain), True), (plain[:-1], True), (f"{plain}x", False),
        (plain[1:], False), (plain.replace("50%", "5%"), False), (plain.replace("_", "x"), False),
    ):  # fmt: skip
        found = [one["id"] for one in alice.get("/channels/search", name=wanted, limit=100).expect(200)["items"]]
        assert (channel in found) is there, f"a search for {wanted!r} {'misses' if there else 'finds'} {name!r}"


def test_a_user_logs_in_with_the_name_in_any_case_and_the_password_however_it_is_typed(
    new_user: Callable[..., User],
) -> None:
    """Protects from users who cannot log in from another keyboard or device."""
    typed = f"Größe é {secrets.token_hex(6)}"
    user = new_user(password=unicodedata.normalize("NFD", typed))
    for name in (user.username, user.username.upper()):
        for password in (typed, user.password):
            session = user.call("POST", "/auth/login", data={"username": name, "password": password}).expect(200)
            assert session["user"] == user.registered
    for password in (typed.swapcase(), f" {typed}", f"{typed} "):
        user.call("POST", "/auth/login", data={"username": user.username, "password": password}).expect_problem(401)


@pytest.mark.parametrize(
    "content", ["  spaces around  ", "two\nlines\r\n", "\u202ereversed", "e\u0301", "\ttab", "<b>&amp;</b>", "x" * 8000]
)
def test_messages_are_stored_as_they_are(alice: User, channel: int, content: str) -> None:
    """Protects from messages that are changed like names."""
    path = f"/channels/{channel}/messages"
    assert alice.post(path, {"content": content}).expect(201)["content"] == content
    assert alice.get(path).expect(200)["items"][-1]["content"] == content


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/{}passwd", "{}passwd"),
        ("C:\\temp\\{}scan.png", "{}scan.png"),
        ("{} 🚀 Übersicht.png", "{} 🚀 Übersicht.png"),
        ("  {}  two  spaces .png ", "{} two spaces .png"),
        (unicodedata.normalize("NFD", "{}é.png"), "{}é.png"),
        ("{}\u202egpj.exe", "{}gpj.exe"),
        ("{}" + "x" * 250 + ".jpeg", "{}" + "x" * (250 - len(PREFIX)) + ".jpeg"),
    ],
    ids=["path", "windows-path", "emoji", "spaces", "decomposed", "reversed", "long"],
)
def test_file_names_are_cleaned_at_an_upload_and_at_a_renaming(alice: User, channel: int, sent: str, kept: str) -> None:
    """Protects from file names that lead out of a folder, or pass for another type."""
    sent, kept = sent.format(PREFIX), kept.format(PREFIX)
    document = alice.upload(channel, sent, samples.png()).expect(201)
    assert document["filename"] == kept
    if len(sent) <= contract.NAME_MAX["other"]:
        plain = alice.patch(f"{DOCUMENTS}{document['id']}/", {"filename": f"{PREFIX}plain.png"}).expect(200)
        assert plain["filename"] == f"{PREFIX}plain.png"
        assert alice.patch(f"{DOCUMENTS}{document['id']}/", {"filename": sent}).expect(200)["filename"] == kept
