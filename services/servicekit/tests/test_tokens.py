"""A token is accepted only if it is complete, issued by this stack, not expired and signed with its key."""

from __future__ import annotations

import base64
import json
import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servicekit import tokens
from servicekit.tokens import Identity, TokenError

KEY = "k" * 64
OTHER = "o" * 64
SESSION = "0f8fad5b-d9cb-469f-a165-70867728950e"


def _claims(**changes):
    now = int(time.time())
    claims = {
        "iss": "plumbline", "aud": "plumbline", "sub": "7", "name": "ann", "op": False, "iat": now, "exp": now + 60,
        "jti": SESSION,
    }  # fmt: skip
    return {name: value for name, value in (claims | changes).items() if value is not ...}


def _signed(key=KEY, algorithm="HS256", **changes):
    # Signed without PyJWT's claims, because PyJWT refuses to write some invalid ones.
    return jwt.PyJWS().encode(json.dumps(_claims(**changes)).encode(), key, algorithm=algorithm)


def _by_hand(header: bytes, payload: bytes, signature: bytes = b"") -> str:
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, payload, signature))


def _refusal(token) -> TokenError:
    with pytest.raises(TokenError) as caught:
        tokens.verify(KEY, token)
    return caught.value


def test_the_clock_of_another_host_may_be_ahead():
    ahead = int(time.time()) + 30
    assert tokens.verify(KEY, _signed(iat=ahead)).identity.user_id == 7


def test_an_issued_token_is_verified():
    before = int(time.time())
    for identity in (Identity(1, "ann"), Identity(2**63 - 1, "ü🙂", is_operator=True)):
        verified = tokens.verify(KEY, tokens.issue(KEY, identity, SESSION, 3600))
        assert (verified.identity, verified.session_id) == (identity, SESSION)
        assert before + 3600 <= verified.expires_at <= int(time.time()) + 3600


def test_expired():
    error = _refusal(tokens.issue(KEY, Identity(7, "ann"), SESSION, -1))
    assert "expired" in str(error)
    assert not error.suspicious, "every session expires"


def test_signed_with_another_key():
    error = _refusal(tokens.issue(OTHER, Identity(7, "ann"), SESSION, 60))
    assert "not signed by this stack" in str(error)
    assert error.suspicious


def test_expired_and_signed_with_another_key_is_a_forgery():
    assert _refusal(tokens.issue(OTHER, Identity(7, "ann"), SESSION, -60)).suspicious


def test_one_changed_claim_breaks_the_signature():
    header, _, signature = tokens.issue(KEY, Identity(7, "ann"), SESSION, 60).split(".")
    payload = base64.urlsafe_b64encode(json.dumps(_claims(op=True)).encode()).rstrip(b"=").decode()
    assert _refusal(f"{header}.{payload}.{signature}").suspicious


@pytest.mark.parametrize(
    "token",
    [
        _by_hand(b'{"alg":"none"}', json.dumps(_claims()).encode()),
        _by_hand(b'{"alg":"None","typ":"JWT"}', json.dumps(_claims()).encode()),
        _signed(algorithm="HS512"),
        _signed(algorithm="HS384"),
        jwt.encode(_claims(), None, algorithm="none"),
    ],
)
def test_another_algorithm_is_refused(token):
    assert _refusal(token).suspicious


@pytest.mark.parametrize("claim", ["exp", "iat", "sub", "aud", "iss"])
def test_a_missing_claim_is_refused(claim):
    assert _refusal(_signed(**{claim: ...})).suspicious


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"}, {"aud": ["another"]}, {"aud": 7}, {"iss": "another"}, {"iss": ["x"]}, {"iss": None},
        {"sub": "0"}, {"sub": "-1"}, {"sub": str(2**63)}, {"sub": "9" * 5000}, {"sub": "ann"}, {"sub": ""},
        {"sub": "1.5"}, {"sub": 7}, {"sub": None}, {"sub": ["7"]}, {"exp": "soon"}, {"exp": [1]}, {"exp": None},
        {"exp": float("inf")}, {"exp": float("nan")},
    ],
    ids=str,
)  # fmt: skip
def test_a_claim_of_another_kind_is_refused(changes):
    _refusal(_signed(**changes))


@pytest.mark.parametrize("session_id", ["", "x", 7, None, [SESSION], SESSION[:-1], SESSION + "0"], ids=str)
def test_a_session_id_of_another_kind_is_refused(session_id):
    assert _refusal(_signed(jti=session_id)).suspicious


def test_a_token_of_the_release_before_asks_for_a_new_login():
    error = _refusal(_signed(jti=...))
    assert "older release" in str(error)
    assert not error.suspicious


def test_a_token_of_the_deployment_is_no_session_and_the_other_way_round():
    token = tokens.issue_for_deployment(KEY, 60)
    assert tokens.is_of_deployment(KEY, token)
    assert _refusal(token).suspicious
    for other in (tokens.issue_for_deployment(OTHER, 60), tokens.issue_for_deployment(KEY, -1), _signed(), "x", ""):
        assert not tokens.is_of_deployment(KEY, other)


def test_only_true_makes_an_operator():
    for value in (1, "true", [True], None, ...):
        assert tokens.verify(KEY, _signed(op=value)).identity.is_operator is False


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "...", "a.b", "a.b.c", "\0", "ü.ü.ü", "\ud800.x.y", "x" * 100_000, "." * 10_000,
        _by_hand(b"[" * 100_000, b"{}", b"x"),
        _by_hand(b'{"a":' * 50_000, b"{}", b"x"),
        _by_hand(b"null", b"null", b"x"), _by_hand(b'{"alg":7}', b"{}", b"x"), _by_hand(b'{"alg":["HS256"]}', b"{}"),
        _by_hand(b'{"alg":"HS256","crit":["x"]}', b"{}", b"x"), _by_hand(b"\xff", b"\xff", b"\xff"),
    ],
    ids=range(18),
)  # fmt: skip
def test_malformed_tokens_are_refused(token):
    assert _refusal(token).suspicious


@given(st.text(max_size=200))
def test_no_random_text_is_accepted(text):
    _refusal(text)


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"x"', b"{", b"\xff"])
def test_a_signed_body_that_is_no_set_of_claims_is_refused(body):
    _refusal(jwt.PyJWS().encode(body, KEY, algorithm="HS256"))


def test_refusals_contain_neither_key_nor_token():
    token = tokens.issue(OTHER, Identity(7, "ann"), SESSION, 60)
    said = str(_refusal(token))
    assert KEY not in said
    assert token not in said


@pytest.mark.parametrize(
    ("authorization", "cookie", "token"),
    [
        ("Bearer abc", None, "abc"),
        ("bearer  abc ", "other", "abc"),
        (None, "abc", "abc"),
        ("", "abc", "abc"),
        (None, None, None),
        (None, "", None),
        # An Authorization header takes precedence: no fallback to a cookie that a browser added.
        ("Basic abc", "cookie", None),
        ("Bearer", "cookie", None),
        ("Bearer ", "cookie", None),
        ("abc", "cookie", None),
    ],
)
def test_the_token_of_a_request_is_found(authorization, cookie, token):
    assert tokens.token_from(authorization, cookie) == token
