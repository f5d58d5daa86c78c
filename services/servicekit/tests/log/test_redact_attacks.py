"""Attacks on the redaction: a secret of any characters, in every notation that programs use, is removed."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import unicodedata
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from servicekit.log import entries
from servicekit.log.clean import INVISIBLE, unusual
from servicekit.log.redact import redact

patient = settings(deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

HEAD, TAIL = "Zq7kW", "Xj4vB"
NAMES = ("password", "db_password", "PGPASSWORD", "apiKey", "X-Api-Key", "client_secret", "access_token", "session_id")
SIGNS = "aZ09 '\"\\/:;,.&=+-_()[]{}<>|!?#$%^*~@`ü€\t"
middles = st.text(alphabet=SIGNS, max_size=14)
secrets = st.builds(lambda middle: HEAD + middle + TAIL, middles)
plain_secrets = st.builds(
    lambda middle: HEAD + middle + TAIL, st.text(alphabet="aZ09'\"\\/:.+-_!?#$%^*~@", max_size=14)
)
names = st.sampled_from(NAMES)
around = st.sampled_from(["", "it failed: ", "user=ada ", "[", '{"q":1} ', "2 + 2 ", "a\n"])


def nested(name: str, secret: str, levels: int) -> str:
    text = json.dumps({"user": "ada", name: secret, "page": 2})
    for _ in range(levels):
        text = json.dumps({"body": text, "page": 2})
    return text


def one_word_if_at(secret: str) -> str:
    """Return the secret as one word if it has an @: with a space, `user:pass word@host` is ambiguous."""
    return re.sub(r"\s", "", secret) if "@" in secret else secret


WELL_FORMED = {
    "json": lambda name, secret: nested(name, secret, 0),
    "json in json": lambda name, secret: nested(name, secret, 1),
    "json in json in json": lambda name, secret: nested(name, secret, 2),
    "json, indented": lambda name, secret: json.dumps({name: secret, "page": 2}, indent=2),
    "json, compact": lambda name, secret: json.dumps({name: [secret], "page": 2}, separators=(",", ":")),
    "json, unicode": lambda name, secret: json.dumps({name: secret}, ensure_ascii=False),
    "repr": lambda name, secret: repr({"user": "ada", name: secret, "page": 2}),
    "repr of bytes": lambda name, secret: repr({name: secret.encode()}),
    "repr of a pair": lambda name, secret: repr([("host", "x"), (name, secret)]),
    "repr of headers": lambda name, secret: repr([(b"host", b"x"), (name.encode(), secret.encode())]),
    "repr in json": lambda name, secret: json.dumps({"error": repr({name: secret})}),
    "repr in repr": lambda name, secret: repr(f"bad: {({name: secret})!r}"),
    "dataclass": lambda name, secret: f"User(name='ada', {name.replace('-', '_')}={secret!r}, page=2)",
    "name and value": lambda name, secret: json.dumps({"name": name, "value": secret}),
    "logfmt": lambda name, secret: f"level=warn {name}={json.dumps(secret)} page=2",
    "yaml": lambda name, secret: f"user: ada\n{name}: '" + secret.replace("'", "''") + "'\npage: 2",
    "yaml, folded": lambda name, secret: f"user: ada\n{name}: |\n  {secret}\npage: 2",
    "sql": lambda _, secret: "ALTER ROLE ada PASSWORD '" + secret.replace("'", "''") + "' VALID UNTIL 'infinity'",
    "query": lambda name, secret: "GET /x?" + urlencode({"a": 1, name: secret, "page": 2}) + " HTTP/1.1",
    "encoded query": lambda name, secret: quote(urlencode({name: secret}), safe=""),
    "encoded json": lambda name, secret: quote(json.dumps({name: secret}), safe=""),
    "form": lambda name, secret: f'Content-Disposition: form-data; name="{name}"\r\n\r\n{secret}\r\n--b',
    "shell": lambda name, secret: f"{name}={shlex.quote(secret)} run",
    "option": lambda _, secret: shlex.join(["psql", "--db-password", secret, "app_db"]),
    "list of arguments": lambda _, secret: repr(["psql", "--password", secret, "app_db"]),
    "xml": lambda name, secret: f"<a><{name}>{escape(secret)}</{name}></a>",
    "html": lambda name, secret: html.escape(json.dumps({name: secret, "page": 2})),
    "address": lambda _, secret: f"postgresql://ada:{one_word_if_at(secret)}@db:5432/app_db is away",
    "encoded address": lambda _, secret: f"https://ada:{quote(secret, safe='')}@example.com/x",
    "cookie": lambda _, secret: f"Cookie: theme=dark; access_token={secret}",
    "authorization": lambda _, secret: f"Authorization: Digest username=ada, response={secret}",
    "basic": lambda _, secret: "got Basic " + base64.b64encode(f"ada:{secret}".encode()).decode(),
}  # fmt: skip


@pytest.mark.parametrize("way", WELL_FORMED)
@given(names, secrets, around, around)
@patient
def test_a_secret_of_any_signs_that_is_quoted_as_it_should_be(way, name, secret, before, after):
    text = f"{before}{WELL_FORMED[way](name, secret)}\n{after}"
    hidden = (base64.b64encode(f"ada:{secret}".encode()).decode()[:16],) if way == "basic" else (HEAD, TAIL)
    for found in (redact(text), entries.build({"message": text, "exception": text}, "s", "error").decode()):
        for part in hidden:
            assert part not in found, found


CARELESS = {
    "assignment": lambda name, secret: f"{name}={secret}",
    "colon": lambda name, secret: f"{name}: {secret}",
    "dsn": lambda _, secret: f"host=db password={secret} port=5432",
    "address": lambda _, secret: f"redis://:{secret}@redis/0",
    "bearer": lambda _, secret: f"Bearer {secret}",
}


@pytest.mark.parametrize("way", CARELESS)
@given(names, st.from_regex(rf"{HEAD}[a-zA-Z0-9+/_.~$!*-]{{0,20}}{TAIL}", fullmatch=True), around, around)
@patient
def test_an_unquoted_secret_without_spaces_is_removed(way, name, secret, before, after):
    found = redact(f"{before}{CARELESS[way](name, secret)} {after}")
    assert HEAD not in found
    assert TAIL not in found


HIDING = (
    "\x1b", "\x1b[31m", "\x1b[0m", "\x1b]0;title\x07", "\x00", "\x08", "\x7f", "\x9b", "\xad", "\u200b", "\u200c",
    "\u200d", "\u2060", "\ufeff", "\u202e", "\u2066", "\ufe0f", "\u180e", "\u034f", "\u3164", "\x1bp", "\x1b(B",
    "\ud800",
)  # fmt: skip


def wide(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


@given(
    names,
    st.sampled_from(HIDING),
    st.integers(0, 16),
    st.sampled_from(("=", ": ", " = ", "\uff1d", "\xa0=\xa0", ":\u3000")),
)
@example("password", "\x1b", 0, "=")
@example("password", "\x1b", 3, "=")
@patient
def test_invisible_signs_hide_no_secret(name, sign, place, equals):
    place = min(place, len(name))
    if sign == "\x1bp":
        sign = "\x1b" if name[place : place + 1] == "p" else "\x1b[1m"
    for hidden in (
        f"{name[:place]}{sign}{name[place:]}{equals}",
        f"{name}{sign}{equals}",
        f"{name}{equals}{sign}",
        wide(name) + equals,
    ):
        text = f"it failed: {hidden}{HEAD}x{TAIL} page=2"
        for found in (redact(text), entries.build({"message": text}, "s", "error").decode()):
            assert HEAD not in found, (text, found)
            assert TAIL not in found, (text, found)


def test_every_lookalike_of_an_ascii_letter_is_normalised():
    missed = [
        f"U+{code:04X}"
        for code in range(0x80, 0x20000)
        if not 0xD800 <= code < 0xE000
        and (plain := unicodedata.normalize("NFKC", chr(code))).isascii()
        and len(plain) == 1
        and plain.isalnum()
        and not unusual(f"é{chr(code)}")
    ]
    assert missed == []


def test_every_format_sign_is_invisible():
    missed = [
        f"U+{code:04X}"
        for code in (*range(0x20), *range(0x7F, 0x3000), *range(0xFE00, 0x10000))
        if unicodedata.category(chr(code)) in ("Cc", "Cf")
        and chr(code) not in "\t\n\x0b\x0c\r"
        and not INVISIBLE.match(chr(code))
    ]
    assert [code for code in missed if not code.startswith(("U+06", "U+07", "U+08"))] == []
