"""All services take the same session tokens, and refuse those that differ from the stack's own in one respect.

Protects from forged, expired and foreign tokens that are accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt
import pytest
from websockets.exceptions import InvalidStatus

from plumbline import net
from plumbline.stack import Stack
from plumbline.verification.checks import findings, sessions
from plumbline.verification.checks.access import CROSS_SITE
from plumbline.verification.checks.client import TIMEOUT_S, Answer, User
from plumbline.verification.checks.sessions import PATHS

CHANGES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another audience": lambda claims: claims | {"aud": "another"},
    "another issuer": lambda claims: claims | {"iss": "another"},
    **{
        f"no {name}": lambda claims, name=name: {key: value for key, value in claims.items() if key != name}
        for name in ("exp", "iat", "sub", "aud", "iss", "jti")
    },
    "the user 0": lambda claims: claims | {"sub": "0"},
    "a negative user": lambda claims: claims | {"sub": f"-{claims['sub']}"},
    "a user that is no number": lambda claims: claims | {"sub": "x"},
    "a user above every id": lambda claims: claims | {"sub": str(2**63)},
    "a user that does not exist": lambda claims: claims | {"sub": str(2**62)},
    "another session": lambda claims: claims | {"jti": "0f8fad5b-d9cb-469f-a165-70867728950e"},
    "a session that is no id": lambda claims: claims | {"jti": "x"},
    "an end in the past": lambda claims: claims | {"exp": claims["iat"] - 1},
}
"""What differs, and how to make it of a token's claims."""


def statuses(user: User, token: str, authorization: str = "Bearer {}") -> dict[str, int]:
    """Return how each service answers a token."""
    headers = {"Authorization": authorization.format(token)}
    return {service: user.call("GET", path, headers=headers).status for service, path in PATHS.items()}


@pytest.fixture
def key(stack: Stack) -> str:
    return sessions.signing_key(stack)


@pytest.fixture
def claims(alice: User) -> dict[str, Any]:
    return dict(jwt.decode(alice.token, options={"verify_signature": False}))


@pytest.mark.parametrize("what", CHANGES)
def test_a_token_with_other_claims_is_refused(alice: User, key: str, claims: dict[str, Any], what: str) -> None:
    found = statuses(alice, jwt.encode(CHANGES[what](claims), key, algorithm="HS256"))
    assert found == dict.fromkeys(PATHS, 401), f"a token with {what}: expected 401 of every service, found {found}"


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_a_token_of_another_algorithm_is_refused(alice: User, key: str, claims: dict[str, Any], algorithm: str) -> None:
    # Zeros change no HMAC, and the library warns of keys that are shorter than the hash.
    found = statuses(alice, jwt.encode(claims, key.ljust(64, "\0"), algorithm=algorithm))
    assert found == dict.fromkeys(PATHS, 401), f"a token signed with {algorithm}: expected 401, found {found}"


def test_a_token_does_not_make_its_user_an_operator(alice: User, key: str, claims: dict[str, Any]) -> None:
    """Protects from users who make themselves operators."""
    claimed = jwt.encode(claims | {"op": True}, key, algorithm="HS256")
    for path in ("/auth/operator", "/auth/invites", "/logs/entries"):
        answer = alice.call("GET", path, headers={"Authorization": f"Bearer {claimed}"})
        assert answer.expect_problem(403)["code"] == "not_an_operator", path


def test_a_token_holds_its_user_and_its_end_and_nothing_else(alice: User, claims: dict[str, Any]) -> None:
    """Protects from tokens that give away more about a user than they have to."""
    session = alice.login().expect(200)
    findings.require_fields(claims, {"iss", "aud", "sub", "name", "op", "jti", "iat", "exp"}, of="a session token")
    assert (claims["sub"], claims["name"], claims["op"]) == (str(alice.id), alice.username, False)
    assert claims["exp"] - claims["iat"] == session["expires_in"]
    assert jwt.get_unverified_header(session["access_token"]) == {"alg": "HS256", "typ": "JWT"}


def test_a_socket_is_closed_when_its_session_ends(stack: Stack, alice: User) -> None:
    """Protects from users who have logged out, and whose socket goes on listening."""
    for seconds in (2, 20, 60):  # a busy machine may take longer than the shorter ones to open a socket
        bearer = {"Authorization": f"Bearer {sessions.expiring(stack, alice.token, seconds)}"}
        try:
            with alice.socket(additional_headers=bearer) as socket:
                code = socket.closed_with(seconds + 2 * TIMEOUT_S)
        except InvalidStatus:
            continue
        assert code == 4401, f"backend: closed a socket at the end of its session with {code}; expected 4401"
        return
    pytest.fail("backend: opened no socket for a session of 60 s")


@pytest.mark.parametrize(
    ("authorization", "taken"),
    [("Bearer {}", True), ("bearer {}", True), ("BEARER {}", True), ("Bearer  {}", True), ("{}", False),
     ("Basic {}", False), ("Token {}", False), ("Bearer", False), ("Bearer {}x", False)],
)  # fmt: skip
def test_only_bearer_tokens_are_taken(alice: User, authorization: str, *, taken: bool) -> None:
    due = {"backend": 200, "data-processor": 200, "log-sink": 403} if taken else dict.fromkeys(PATHS, 401)
    found = statuses(alice, alice.token, authorization)
    assert found == due, f"Authorization: {authorization}: expected {due}, found {found}"


def test_the_header_counts_where_a_request_has_a_cookie_too(alice: User) -> None:
    """Protects from a program that acts as another user, whose cookie it happens to send."""
    for path in PATHS.values():
        headers = {"Authorization": "Bearer rubbish", "Cookie": f"access_token={alice.token}"}
        assert alice.call("GET", path, headers=headers).status == 401, path


@pytest.mark.parametrize("path", ["/auth/login", "/auth/register", "/auth/logout"])
def test_a_page_of_another_site_cannot_begin_or_end_a_session(stack: Stack, alice: User, path: str) -> None:
    form = {"username": alice.username, "password": alice.password}
    body: dict[str, Any] = {"json": form} if path.endswith("register") else {"data": form}
    with net.direct_session() as browser:
        for name, value in CROSS_SITE:
            answer = Answer(browser.post(stack.base_url + path, headers={name: value}, timeout=TIMEOUT_S, **body))
            assert answer.status == 403, f"POST {path} with {name}: {value}: expected 403, got {answer.status}"
            assert answer.expect_problem(403)["code"] == "foreign_origin"
            assert "Set-Cookie" not in answer.headers
