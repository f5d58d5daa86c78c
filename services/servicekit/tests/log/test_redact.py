from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servicekit.log.redact import redact
from servicekit.log.rules import REDACTED
from servicekit.log.secret_names import is_secret_key

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SECRET = "hunter2-Zx81"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXBhcnQ"


@pytest.mark.parametrize(
    "text",
    [
        f"password={SECRET}",
        f"password: {SECRET}",
        f"PA\u017fsword: {SECRET}",
        f"PASSWORD = '{SECRET} with spaces'",
        f'{{"password": "{SECRET}"}}',
        f"{{'db_password': '{SECRET}'}}",
        f'"{{\\"password\\": \\"{SECRET}\\"}}"',
        f"host=db user=app_user password={SECRET} port=5432",
        f"postgresql://app_user:{SECRET}@db:5432/app_db",
        f"postgresql+psycopg://app_user:{SECRET}p@ss/w:rd@db:5432/app_db",
        f"redis://:{SECRET}@redis:6379/0",
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}==",
        f"'Authorization': ['Bearer {SECRET}']",
        f"got header Bearer {SECRET}",
        f"Cookie: access_token={SECRET}; theme=dark",
        f"Set-Cookie: access_token={SECRET}; HttpOnly",
        f"GET /x?token={SECRET}&page=2",
        f"GET /x?api_key={SECRET}",
        f"X-Api-Key: {SECRET}",
        f"access_token={SECRET}",
        f"client_secret={SECRET}",
        f"dbPassword={SECRET}",
        f"PGPASSWORD={SECRET}",
        f"SECRET_KEY = '{SECRET}'",
        f"password_confirmation={SECRET}",
        f"refresh-token: {SECRET}",
        f"secret=>{SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\\n{SECRET} and then the text ends",
        f"sessionid={SECRET}",
        f"csrftoken={SECRET}",
        f"passphrase is set, passphrase={SECRET}",
        f"hash $argon2id$v=19$m=65536,t=3,p=4${SECRET}",
        # nested JSON
        rf'"{{\\\"apiKey\\\":\\\"{SECRET}\\\"}}"',
        f"apiKey: Zq7kW000;{SECRET}",
        f"token: Zq7kW000;{SECRET}",
        f'{{"X-Api-Key":"{SECRET}","page":2}}',
        # Python's repr
        f"{{'password': b'{SECRET}'}}",
        f"('x-api-key', '{SECRET}')",
        f"[(b'host', b'x'), (b'cookie', b'access_token={SECRET}')]",
        f"[parameters: {{'db_password': '{SECRET}'}}]",
        f"cookies={{'theme': 'dark', 'sid': '{SECRET}'}}",
        f"password: str = '{SECRET}'",
        f"SecretStr('{SECRET}')",
        f"assert password == '{SECRET}'",
        # in URLs
        f"https://{SECRET}@example.com/project.git",
        f"GET /x?X-Amz-Signature={SECRET}&page=2",
        f"GET /x?auth={SECRET}",
        f"password%3D{SECRET}",
        f"%22password%22%3A%22{SECRET}%22",
        f"Bearer%20{SECRET}",
        f"user[password]={SECRET}",
        # in command lines and files
        f"mysqldump --password {SECRET} app_db",
        f"Command '['psql', '--db-password', '{SECRET}']' failed",
        f"curl -u ada:{SECRET} http://x/",
        f"Server=db;Uid=ada;Pwd={SECRET};",
        f"<ns:password>{SECRET}</ns:password>",
        f"DETAIL: Key (token)=({SECRET}) already exists",
        f"DBPASSWORD={SECRET}",
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f"encryptionKey={SECRET}",
        f"JSESSIONID={SECRET}",
        f"totp={SECRET}",
        f"wrong password '{SECRET}'",
        f"password='the {SECRET} horse'",
        f"password=the.{SECRET}",
        f"Authorization: Bearer #{SECRET}",
        f'Authorization: Digest username="ada", response="{SECRET}"',
    ],
)
def test_secret_is_removed(text: str) -> None:
    assert SECRET not in redact(text)
    assert REDACTED in redact(text)


def test_tokens_are_known_by_their_shape() -> None:
    assert redact(f"invalid: {JWT}.") == f"invalid: {REDACTED}."
    assert "c2lnbmF0" not in redact(f"a{JWT[:20]} {JWT}")
    assert redact("key AKIAABCDEFGHIJKLMNOP used") == f"key {REDACTED} used"
    assert redact("ghp_" + "a1B2" * 9) == REDACTED


@pytest.mark.parametrize(
    "text",
    [
        "login refused for 'alice': wrong password",
        "token: expired",
        "the token was not signed by this stack",
        "GET http://127.0.0.1:8080/channels/?page=2 took 2.4 s",
        "postgresql://db:5432/app_db is away",
        "secret file /run/secrets/postgres_password is missing",
        "password_file=/run/secrets/postgres_password",
        "dial tcp 127.0.0.1:9001: connect: connection refused",
        "basic checks passed",
        "compass=north bypass=1",
        "cookie: none",
        "session closed; session=expired",
        "authorization: denied for role guest",
        "basic authentication failed, token verification failed",
        "image sha256 digest 0123456789abcdef",
        "unexpected token: '<' at line 3",
        "tokens: 512, max_tokens=100",
        "Password: must not be empty",
        "KeyError: 'password'",
        "http://localhost:8080/@ada/notes",
        "task-0123456789012345678901 on disk-usage-warning-threshold",
        "open('username', 'password') takes two",
    ],
)
def test_other_text_stays_readable(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("text", ["user: alice, password=hunter2, port=1", "a=1 password=hunter2 b=2"])
def test_only_the_secret_is_removed(text: str) -> None:
    assert redact(text) == text.replace("hunter2", REDACTED)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "db_password",
        "passwd",
        "token",
        "accessToken",
        "X-Api-Key",
        "Authorization",
        "cookie",
        "Set-Cookie",
        "client_secret",
        "secrets",
        "session_id",
        "jwt",
        "private_key",
        "credentials",
        "Tokens",
        "SECRET_KEY",
        "password_hash",
        "dbPassword",
        "PGPASSWORD",
        "X-CSRFToken",
        "HTTP_AUTHORIZATION",
        "AWS_SECRET_ACCESS_KEY",
        "encryptionKey",
        "client_secret_value",
        "JSESSIONID",
        "auth",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_key(name)


@pytest.mark.parametrize(
    "name",
    [
        "username",
        "token_type",
        "password_file",
        "key",
        "keyboard",
        "compass",
        "message",
        "max_tokens",
        "author",
        "signal",
        "primary_key",
        "password_changed_at",
    ],
)
def test_names_of_other_values(name: str) -> None:
    assert not is_secret_key(name)


@given(st.text(), st.text(alphabet="abcXYZ0189_-", min_size=8), st.text())
@patient
def test_a_secret_is_removed_at_any_place(before: str, secret: str, after: str) -> None:
    text = f"{before} password={secret}@#! {after}"
    if secret not in before and secret not in after and secret not in REDACTED:
        assert f"={secret}" not in redact(text)


@given(st.text())
@patient
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "password=" * 5000, "://" * 20000, "eyJ" * 20000, '"' * 20000, "a_" * 20000 + "password", "password=\"" * 5000,
        "token" + "\u00a0" * 50000, "cookie: [" * 5000, "<password " * 5000, "('password', '" * 3000, "--a-" * 10000,
        "csrf" * 10000, "bearer " * 8000, "\\" * 50000 + '"password', "http://" + "a" * 50000, "-----BEGIN " * 5000,
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_hostile_texts_cost_little(text: str) -> None:
    # Quadratic patterns would run for minutes here.
    redact("password " + text)
