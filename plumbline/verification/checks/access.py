"""Access rules: the answer of each route to each kind of caller, and the objects for the calls."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg

from plumbline.verification.checks import batches, samples
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX
from plumbline.verification.checks.reading import wait_until_read
from plumbline.verification.checks.sessions import Operator
from plumbline.verification.throwaway import wait_for_value

USERS = ("outsider", "former", "member", "uploader", "creator", "operator")
"""Callers with a session. Outsider and operator are in no channel, and the former member not any more. The uploader
created everything in the channels, and the creator the channels."""
CROSS_SITE = (
    ("Origin", "https://elsewhere.example"),
    ("Origin", "null"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-site"),
)
"""Headers of browsers for requests of other sites' pages, to which they add the session cookie."""

_MEMBERS_ONLY = {"outsider": "403 not_a_member", "operator": "403 not_a_member"}
_OPERATORS_ONLY = dict.fromkeys(("outsider", "member", "uploader", "creator"), "403 not_an_operator")
_MARK = {"page": 1, "bounding_box": {"x": 1, "y": 2, "width": 3, "height": 4}, "label_type": "a", "label_name": "b"}
_DOCUMENT = "/data-processor/documents/{document}/"
_ANNOTATIONS = _DOCUMENT + "annotations/"


@dataclass(frozen=True)
class Rule:
    """A call, and its answer (`200`, `403 not_a_member`): `allowed` for all users but those in `others`.

    `path` and `body` name objects of a `World` in braces.
    """

    method: str
    path: str
    allowed: str
    others: dict[str, str]
    body: Any = None

    def expected(self, caller: str) -> str:
        """Return the answer to a caller of `USERS`."""
        return self.others.get("outsider" if caller == "former" else caller, self.allowed)

    @property
    def writes(self) -> bool:
        """Whether the call can change something."""
        return self.method != "GET"

    @property
    def uses_up(self) -> bool:
        """Whether the call has another answer when it is repeated."""
        once = self.path.endswith(("/join", "/leave", "/members")) or "/dm/" in self.path
        return self.method == "DELETE" or (self.writes and once)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _rule(method: str, path: str, allowed: str, others: dict[str, str] | None = None, *, body: Any = None) -> Rule:
    return Rule(method, path, allowed, others or {}, body)


def _channel_rules(kind: str) -> list[Rule]:
    """Return what can be done with a channel of this kind: private, public or direct."""
    public, direct = kind == "public", kind == "direct"
    at = f"/channels/{{{kind}}}"
    inside = _MEMBERS_ONLY | ({"uploader": "403 not_a_member"} if direct else {})
    not_the_creator = dict.fromkeys(("member", "uploader"), "403 not_the_creator")
    if public:
        not_the_creator |= dict.fromkeys(("outsider", "operator"), "403 not_the_creator")
    full = {"member": "409 direct_channel", "creator": "409 direct_channel"} if direct else {}
    return [
        _rule("GET", at + "/members", "200", {} if public else inside),
        _rule("GET", at + "/messages", "200", inside),
        _rule("POST", at + "/messages", "201", inside, body={"content": "a message"}),
        _rule("POST", at + "/join", "200", {} if public else inside),
        _rule("POST", at + "/members", "201", inside | full, body={"user_id": "{guest}"}),
        _rule("POST", at + "/leave", "204", inside | full),
        _rule("PATCH", at, "409 direct_channel" if direct else "200",
              inside if direct else _MEMBERS_ONLY | not_the_creator, body={"name": "{new_public_name}"}),
        _rule("DELETE", at + "/members/{member}", "409 direct_channel" if direct else "204",
              inside if direct else _MEMBERS_ONLY | not_the_creator | {"member": "204"}),
        _rule("DELETE", at, "204", inside if direct else _MEMBERS_ONLY | not_the_creator),
    ]  # fmt: skip


RULES: tuple[Rule, ...] = (
    _rule("GET", "/auth/me", "200"),
    _rule("DELETE", "/auth/me", "403 wrong_password", body={"password": "not the password"}),
    _rule("POST", "/auth/password", "403 wrong_password", {"operator": "409 password_in_file"},
          body={"password": "not the password", "new_password": "a passphrase of five words"}),
    _rule("GET", "/auth/operator", "200", _OPERATORS_ONLY),
    _rule("GET", "/auth/invites", "200", _OPERATORS_ONLY),
    _rule("POST", "/auth/invites", "201", _OPERATORS_ONLY),
    _rule("DELETE", "/auth/invites/{invite}", "204", _OPERATORS_ONLY),
    _rule("GET", "/channels/", "200"),
    _rule("POST", "/channels/", "201", body={"name": "{new_name}", "type": "private"}),
    _rule("GET", "/channels/search?name=a", "200"),
    _rule("POST", "/channels/dm/{guest}", "201"),
    *_channel_rules("private"),
    *_channel_rules("public"),
    *_channel_rules("direct"),
    _rule("GET", "/data-processor/documents/?channel_id={private}", "200", _MEMBERS_ONLY),
    _rule("POST", "/data-processor/documents/", "201", _MEMBERS_ONLY, body="upload"),
    _rule("GET", _DOCUMENT, "200", _MEMBERS_ONLY),
    _rule("PATCH", _DOCUMENT, "200", _MEMBERS_ONLY, body={"filename": f"{PREFIX}renamed.png"}),
    _rule("DELETE", _DOCUMENT, "204", _MEMBERS_ONLY | {"member": "403 forbidden"}),
    _rule("GET", _DOCUMENT + "content", "200", _MEMBERS_ONLY),
    _rule("GET", _DOCUMENT + "thumbnail", "200", _MEMBERS_ONLY),
    _rule("GET", _DOCUMENT + "pages/1/text", "200", _MEMBERS_ONLY),
    _rule("GET", _DOCUMENT + "pages/1/image?width=100", "200", _MEMBERS_ONLY),
    _rule("POST", _DOCUMENT + "process/", "202", _MEMBERS_ONLY),
    _rule("POST", _DOCUMENT + "apply-template/", "200", _MEMBERS_ONLY, body={"template_id": "{template}"}),
    _rule("POST", _DOCUMENT + "export/", "200", _MEMBERS_ONLY, body={"format": "json"}),
    _rule("GET", _ANNOTATIONS, "200", _MEMBERS_ONLY),
    _rule("POST", _ANNOTATIONS, "201", _MEMBERS_ONLY, body=_MARK),
    _rule("GET", _ANNOTATIONS + "{annotation}/", "200", _MEMBERS_ONLY),
    _rule("PUT", _ANNOTATIONS + "{annotation}/", "200", _MEMBERS_ONLY, body=_MARK | {"text": "put"}),
    _rule("PATCH", _ANNOTATIONS + "{annotation}/", "200", _MEMBERS_ONLY, body={"text": "patched"}),
    _rule("DELETE", _ANNOTATIONS + "{annotation}/", "204", _MEMBERS_ONLY),
    _rule("GET", "/data-processor/templates/", "200"),
    _rule("GET", "/data-processor/templates/?channel_id={private}", "200", _MEMBERS_ONLY),
    _rule("POST", "/data-processor/templates/", "201", _MEMBERS_ONLY,
          body={"channel_id": "{private}", "name": "{new_name}"}),
    _rule("GET", "/data-processor/templates/{template}/", "200", _MEMBERS_ONLY),
    _rule("PUT", "/data-processor/templates/{template}/", "200", _MEMBERS_ONLY,
          body={"name": "{new_name}", "labels": []}),
    _rule("DELETE", "/data-processor/templates/{template}/", "204", _MEMBERS_ONLY),
    _rule("GET", "/data-processor/batch/", "200"),
    _rule("GET", "/data-processor/batch/?channel_id={private}", "200", _MEMBERS_ONLY),
    _rule("POST", "/data-processor/batch/", "202", _MEMBERS_ONLY,
          body={"channel_id": "{private}", "template_id": "{template}", "document_ids": ["{document}"]}),
    _rule("GET", "/data-processor/batch/{batch}/", "200", _MEMBERS_ONLY),
    _rule("GET", "/data-processor/batch/{batch}/items/", "200", _MEMBERS_ONLY),
    _rule("POST", "/data-processor/batch/{batch}/cancel/", "200", _MEMBERS_ONLY),
    _rule("POST", "/data-processor/batch/{batch}/retry/", "202", _MEMBERS_ONLY),
    _rule("GET", "/data-processor/batch/{batch}/export/?format=json", "200", _MEMBERS_ONLY),
    _rule("GET", "/data-processor/export/?channel_id={private}&format=json", "200", _MEMBERS_ONLY),
    _rule("GET", "/logs/entries", "200", _OPERATORS_ONLY),
    _rule("GET", "/logs/stats", "200", _OPERATORS_ONLY),
)  # fmt: skip

WITHOUT_RULE: dict[tuple[str, str], str] = {
    ("POST", "/auth/register"): "opens a session",
    ("POST", "/auth/login"): "opens a session",
    ("POST", "/auth/logout"): "needs no session: it ends one, and deletes a cookie: test_sessions",
    ("GET", "/openapi.json"): "public description",
    ("GET", "/data-processor/openapi.json"): "public description",
    ("GET", "/health"): "probe",
    ("GET", "/health/live"): "probe",
    ("GET", "/data-processor/health"): "probe",
    ("GET", "/data-processor/health/live"): "probe",
    ("GET", "/logs"): "leads to the page",
    ("GET", "/logs/"): "leads to the login page without an operator's session: test_page",
    ("GET", "/logs/login"): "the login page",
    ("GET", "/logs/assets/{path}"): "scripts and styles of these pages",
    ("GET", "/logs/health"): "probe",
    ("GET", "/logs/health/live"): "probe",
    ("GET", "/logs/stream"): "an answer without an end: test_page, test_accounts",
    ("POST", "/ingest"): "internal listener: test_isolation",
    ("WS", "/ws/{user_id}"): "no HTTP answer: test_websocket",
}
"""Routes without a rule, and why."""


class World:
    """One set of the objects that calls name, each created when a call first names it."""

    def __init__(self, users: dict[str, User], operator: Operator, new_user: Callable[[], User]) -> None:
        self._users = users
        self.base_url = users["creator"].base_url
        self._operator = operator
        self._new_user = new_user

    @cached_property
    def private(self) -> int:
        """A private channel."""
        return self._channel("private")

    @cached_property
    def public(self) -> int:
        """A public channel."""
        return self._channel("public")

    @cached_property
    def direct(self) -> int:
        """The direct channel of creator and member. The two have only one: every `World` has the same."""
        return int(self._users["creator"].post(f"/channels/dm/{self._users['member'].id}").json["id"])

    def open_direct_again(self) -> None:
        """Open the direct channel again after its deletion."""
        self.__dict__.pop("direct", None)

    @cached_property
    def guest(self) -> int:
        """A user who is in no channel."""
        return self._new_user().id

    @cached_property
    def invite(self) -> int:
        """An unused invite."""
        return int(self._operator.call("POST", "/auth/invites").expect(201)["id"])

    @cached_property
    def document(self) -> int:
        """A document in the private channel, which was read."""
        stored = self._users["uploader"].upload(self.private, f"{PREFIX}access.png", samples.png())
        return int(wait_until_read(self._users["uploader"], stored.expect(201)["id"])["id"])

    @cached_property
    def annotation(self) -> int:
        """An annotation of the document."""
        path = _ANNOTATIONS.format(document=self.document)
        return int(self._users["uploader"].post(path, _MARK).expect(201)["id"])

    @cached_property
    def template(self) -> int:
        """A template of the private channel."""
        body = {"channel_id": self.private, "name": self.new_name}
        return int(self._users["uploader"].post("/data-processor/templates/", body).expect(201)["id"])

    @cached_property
    def batch(self) -> int:
        """A batch job of the private channel, which has ended."""
        body = {"channel_id": self.private, "template_id": self.template, "document_ids": [self.document]}
        job = int(self._users["uploader"].post(batches.JOBS, body).expect(202)["id"])
        batches.wait_ended(self._users["uploader"], job)
        return job

    @property
    def new_name(self) -> str:
        """A name that is not taken."""
        return PREFIX + secrets.token_hex(6)

    @property
    def new_public_name(self) -> str:
        """A name of a public channel that is not taken."""
        return f"#{self.new_name}"

    @property
    def member(self) -> int:
        """The member of the channels."""
        return self._users["member"].id

    def arguments(self, rule: Rule) -> dict[str, Any]:
        """Return `path` and the body for a request by this rule."""
        path = rule.path.format_map(_Names(self))
        if rule.body == "upload":
            files = {"file": (f"{PREFIX}access.png", samples.png(), "image/png")}
            return {"path": path, "files": files, "data": {"channel_id": str(self.private)}}
        return {"path": path} | ({} if rule.body is None else {"json": self._filled(rule.body)})

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._filled(one) for one in value]
        is_name = isinstance(value, str) and value.startswith("{") and value.endswith("}")
        return getattr(self, value[1:-1]) if is_name else value

    def _channel(self, kind: str) -> int:
        channel = int(self._users["creator"].create_channel(kind)["id"])
        for name in ("former", "member", "uploader"):
            body = {"user_id": self._users[name].id}
            self._users["creator"].post(f"/channels/{channel}/members", body).expect(201)
        assert self._users["former"].post(f"/channels/{channel}/leave").status == 204
        return channel


class _Names(dict[str, Any]):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def __missing__(self, name: str) -> Any:
        return getattr(self._world, name)


def rows_of(database: psycopg.Connection[dict[str, Any]], channels: list[int]) -> str:
    """Return everything that is stored of these channels, as text to compare, once all of their jobs have ended."""
    wait_for_value(
        lambda: database.execute(_OPEN_JOBS, {"channels": channels}).fetchall(), lambda open_jobs: not open_jobs,
        "the channels' jobs to end", batches.JOB_S,
    )  # fmt: skip
    found = database.execute(_ROWS, {"channels": channels}).fetchall()
    return "\n".join(f"{row['part']} {row['row']}" for row in found)


_OPEN_JOBS = "SELECT id, done, failed FROM batch_jobs WHERE channel_id = ANY(%(channels)s) AND finished_at IS NULL"
_OF_A_CHANNEL = " UNION ALL ".join(
    f"SELECT '{table}' AS part, to_jsonb(t)::text AS row FROM {table} t WHERE channel_id = ANY(%(channels)s)"  # noqa: S608
    for table in ("memberships", "messages", "templates", "batch_jobs")
)
# Allowed calls have documents read, which goes on during the next call.
_ROWS = f"""
    {_OF_A_CHANNEL} UNION ALL
    SELECT 'channels', to_jsonb(t)::text FROM channels t WHERE id = ANY(%(channels)s) UNION ALL
    SELECT 'documents', (to_jsonb(t) - 'text_status' - 'text_error')::text FROM documents t
    WHERE channel_id = ANY(%(channels)s) UNION ALL
    SELECT 'annotations', to_jsonb(t)::text FROM annotations t JOIN documents d ON d.id = t.document_id
    WHERE d.channel_id = ANY(%(channels)s) UNION ALL
    SELECT 'invites', to_jsonb(t)::text FROM invites t
    ORDER BY 1, 2
"""  # noqa: S608  composed of constants
