"""Each refusal has its own code: programs tell by it what happened. Refusals for access are in `checks/access.py`.

Protects from programs that cannot tell why they were refused.
"""

from __future__ import annotations

from typing import Any

import pytest

from plumbline.verification.checks import samples
from plumbline.verification.checks.client import Answer, User
from plumbline.verification.checks.created import PREFIX

DOCUMENTS, TEMPLATES = "/data-processor/documents/", "/data-processor/templates/"
NONE = 2**62
"""The id of nothing."""
BOX = {"x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2}
MARK = {"label_type": "a", "label_name": "b", "bounding_box": BOX}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'


@pytest.fixture(scope="module")
def names(alice: User, bob: User) -> dict[str, Any]:
    """What calls name in braces."""
    channel = alice.create_channel("private")
    public = alice.create_channel("public")
    document = alice.upload(channel["id"], f"{PREFIX}refused.png", samples.png()).expect(201)["id"]
    template = alice.post(TEMPLATES, {"channel_id": channel["id"], "name": f"{PREFIX}taken"}).expect(201)["id"]
    direct = alice.post(f"/channels/dm/{bob.id}").json["id"]
    return {
        "channel": channel["id"], "public": public["name"], "document": document, "template": template,
        "direct": direct, "me": alice.id, "name": alice.username, "none": NONE,
    }  # fmt: skip


def filled(value: Any, names: dict[str, Any]) -> Any:
    """Return the value with every name in braces replaced; a text that is only a name becomes what it names."""
    if isinstance(value, dict):
        return {key: filled(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, names) for one in value]
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        return names[value[1:-1]]
    return value


def refused(answer: Answer, what: str, expected: str) -> dict[str, Any]:
    """Return the problem document; fail unless its status and code are those expected."""
    code = answer.json.get("code") if isinstance(answer.json, dict) else repr(answer.body[:200])
    found = f"{answer.status} {code}"
    assert found == expected, f"{what}: expected {expected}, found {found}"
    return answer.expect_problem(answer.status)


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/auth/register", {"username": "{name}", "password": "a stack of four words"}, "409 username_taken"),
        ("POST", "/channels/", {"name": "{public}"}, "409 channel_exists"),
        ("POST", "/channels/dm/{me}", None, "422 direct_with_oneself"),
        ("POST", "/channels/dm/{none}", None, "404 no_such_user"),
        ("POST", "/channels/{direct}/leave", None, "409 direct_channel"),
        ("POST", "/channels/{none}/join", None, "404 no_such_channel"),
        ("POST", "/channels/{none}/leave", None, "404 no_such_channel"),
        ("GET", "/channels/{none}/members", None, "404 no_such_channel"),
        ("GET", "/channels/{none}/messages", None, "404 no_such_channel"),
        ("POST", "/channels/{none}/messages", {"content": "x"}, "404 no_such_channel"),
        ("POST", "/channels/{none}/members", {"user_id": "{me}"}, "404 no_such_channel"),
        ("POST", "/channels/{channel}/members", {"user_id": "{none}"}, "404 no_such_user"),
        ("DELETE", "/channels/{none}", None, "404 no_such_channel"),
        ("GET", "/auth/nowhere", None, "404 no_such_address"),
        ("PATCH", "/auth/me", None, "405 method_not_allowed"),
        ("GET", f"{DOCUMENTS}?channel_id={{none}}", None, "404 no_such_channel"),
        ("GET", f"{DOCUMENTS}", None, "422 invalid"),
        ("GET", f"{DOCUMENTS}{{none}}/", None, "404 no_such_document"),
        ("PATCH", f"{DOCUMENTS}{{none}}/", {"filename": "a"}, "404 no_such_document"),
        ("DELETE", f"{DOCUMENTS}{{none}}/", None, "404 no_such_document"),
        ("GET", f"{DOCUMENTS}{{none}}/content", None, "404 no_such_document"),
        ("GET", f"{DOCUMENTS}{{none}}/thumbnail", None, "404 no_such_document"),
        ("GET", f"{DOCUMENTS}{{none}}/annotations/", None, "404 no_such_document"),
        ("POST", f"{DOCUMENTS}{{none}}/annotations/", MARK, "404 no_such_document"),
        ("GET", f"{DOCUMENTS}{{document}}/annotations/{{none}}/", None, "404 no_such_annotation"),
        ("PATCH", f"{DOCUMENTS}{{document}}/annotations/{{none}}/", {"text": "a"}, "404 no_such_annotation"),
        ("PUT", f"{DOCUMENTS}{{document}}/annotations/{{none}}/", MARK, "404 no_such_annotation"),
        ("DELETE", f"{DOCUMENTS}{{document}}/annotations/{{none}}/", None, "404 no_such_annotation"),
        ("POST", TEMPLATES, {"channel_id": "{none}", "name": "a"}, "404 no_such_channel"),
        ("POST", TEMPLATES, {"channel_id": "{channel}", "name": f"{PREFIX}TAKEN"}, "409 name_taken"),
        ("GET", f"{TEMPLATES}{{none}}/", None, "404 no_such_template"),
        ("PUT", f"{TEMPLATES}{{none}}/", {"name": "a", "labels": []}, "404 no_such_template"),
        ("DELETE", f"{TEMPLATES}{{none}}/", None, "404 no_such_template"),
        ("GET", "/data-processor/nowhere", None, "404 no_such_address"),
        ("GET", f"{DOCUMENTS}0/", None, "404 no_such_address"),
        ("GET", f"{DOCUMENTS}{2**63}/", None, "404 no_such_address"),
        ("PUT", f"{DOCUMENTS}{{document}}/", {}, "405 method_not_allowed"),
    ],
)  # fmt: skip
def test_a_refusal_has_the_code_of_its_reason(
    alice: User, names: dict[str, Any], method: str, path: str, body: Any, expected: str
) -> None:
    """Protects from programs that take one reason for another."""
    arguments = {} if body is None else {"json": filled(body, names)}
    answer = alice.call(method, path.format_map(names), **arguments)
    refused(answer, f"{method} {path}", expected)


@pytest.mark.parametrize(
    ("path", "body", "headers", "expected"),
    [
        ("/channels/", b"{", JSON, "422 invalid_json"),
        ("/channels/", b"{}", {"Content-Type": "text/plain"}, "415 wrong_media_type"),
        ("/auth/login", b"username=x", {"Content-Type": "application/x-www-form-urlencoded"}, "422 invalid"),
        (TEMPLATES, b"{", JSON, "400 invalid_json"),
        (TEMPLATES, b"[]", JSON, "422 invalid"),
        (TEMPLATES, b"{}", {"Content-Type": "text/plain"}, "415 wrong_media_type"),
        (DOCUMENTS, b"{}", JSON, "415 wrong_media_type"),
        (DOCUMENTS, b"no form", FORM, "400 incomplete"),
        (DOCUMENTS, b"--x--\r\n", FORM, "422 invalid"),
        (DOCUMENTS, PART + b"half of a file", FORM, "400 incomplete"),
        (DOCUMENTS, b"--x--\r\n", {"Content-Type": "multipart/form-data"}, "400 malformed_body"),
    ],
    ids=["backend-json", "backend-type", "backend-form", "processor-json", "processor-list", "processor-type",
         "upload-json", "upload-no-form", "upload-empty", "upload-cut", "upload-no-boundary"],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused_by_its_reason(
    alice: User, path: str, body: bytes, headers: dict[str, str], expected: str
) -> None:
    """Protects from authors of programs who cannot tell why their request was not understood."""
    refused(alice.call("POST", path, data=body, headers=headers), f"POST {path} with {body[:40]!r}", expected)


def test_two_labels_of_one_name_are_refused_whatever_their_case(alice: User, names: dict[str, Any]) -> None:
    """Protects from two values that are exported under one name."""
    labels = [{"name": name, "label_type": "a", "bounding_box": BOX} for name in ("Total", "other", "TOTAL")]
    for method, path, body in (
        ("POST", TEMPLATES, {"channel_id": names["channel"], "name": f"{PREFIX}labels", "labels": labels}),
        ("PUT", f"{TEMPLATES}{names['template']}/", {"name": f"{PREFIX}taken", "labels": labels}),
    ):
        problem = refused(alice.call(method, path, json=body), f"{method} {path}", "422 invalid")
        assert [one["field"] for one in problem["errors"]] == ["labels.2.name"], path


def test_logins_are_refused_alike_for_a_wrong_password_and_an_unknown_name(alice: User) -> None:
    found = []
    for name in (alice.username, f"{alice.username[:20]}-nobody"):
        answer = alice.call("POST", "/auth/login", data={"username": name, "password": "a wrong guess 4711"})
        problem = refused(answer, f"a login as {name}", "401 wrong_credentials")
        found.append({key: value for key, value in problem.items() if key != "request_id"})
    assert found[0] == found[1], f"the answer tells whether a user name is taken: {found}"


def test_a_refused_value_is_named_and_not_repeated(alice: User, names: dict[str, Any]) -> None:
    secret = "s3cret-" * 60
    for path, body, fields in (
        ("/auth/register", {"username": "a b", "password": secret}, {"username", "password"}),
        (TEMPLATES, {"channel_id": names["channel"], "name": secret, "extra": secret}, {"name", "extra"}),
    ):
        answer = alice.post(path, body)
        errors = refused(answer, f"POST {path}", "422 invalid")["errors"]
        assert {one["field"] for one in errors} == fields, path
        assert b"s3cret-" not in answer.body, f"POST {path}: the refusal repeats what was sent: {answer.body[:300]!r}"


@pytest.mark.parametrize(
    ("link", "taken"),
    [("/a.png", True), ("https://example.org/a.png?b=1#c", True), ("http://example.org", True),
     ("//example.org/a", False), ("/\\example.org/a", False), ("https://example.org\\a", False),
     ("https://", False), ("ftp://example.org/a", False),
     ("data:image/png;base64,AA==", False), ("a.png", False), ("", False), ("https://example.org/a b", False),
     ("https://example.org/\ta", False), ("https://example.org/\na", False), ("java\tscript:alert(1)", False)],
)  # fmt: skip
def test_only_links_that_do_no_harm_are_taken(alice: User, names: dict[str, Any], link: str, *, taken: bool) -> None:
    """Protects from links in messages that run scripts where they are shown."""
    said = {"content": "see", "image_url": link}
    answer = alice.post(f"/channels/{names['channel']}/messages", said)
    if taken:
        assert answer.expect(201)["image_url"] == link
    else:
        refused(answer, f"a message with the link {link!r}", "422 invalid")
