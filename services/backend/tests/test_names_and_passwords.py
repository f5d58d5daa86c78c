"""Which passwords are taken, and the one form of names and texts."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import requests
from argon2 import PasswordHasher

from plumbline.verification.throwaway import through_caddy

from .conftest import TIMEOUT_S, Backend, Person

MakePerson = Callable[[], Person]
COMPOSED, DECOMPOSED = (
    "Gr\u00fc\u00dfe-aus-K\u00f6ln-7",
    unicodedata.normalize("NFD", "Gr\u00fc\u00dfe-aus-K\u00f6ln-7"),
)


def register(backend: Backend, name: str, password: str, **more: str) -> requests.Response:
    body = {"username": name, "password": password, **more}
    return through_caddy("POST", backend.url + "/auth/register", json=body, timeout=TIMEOUT_S)


def login(backend: Backend, name: str, password: str) -> int:
    form = {"username": name, "password": password}
    return through_caddy("POST", backend.url + "/auth/login", data=form, timeout=TIMEOUT_S).status_code


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("password", "top-10 common password"),
        ("P@ssw0rd", "similar to a commonly used password"),
        ("qwertyuiop", "common password"),
        ("aaaaaaaaaaaa", "repeats"),
        ("12345678", "common password"),
        ("a" * 256, "repeats"),
        ("charlotte-van-den-berg", "your own name"),
        ("Charlotte-Van-Den-Berg", "your own name"),
        ("greb-ned-nav-ettolrahc", "your own name"),
        ("Lotte1234", "your own name"),
    ],
)
def test_a_password_that_is_guessed_in_no_time_is_refused_with_the_reason(
    backend: Backend, password: str, reason: str
) -> None:
    refused = register(backend, "charlotte-van-den-berg", password, display_name="Lotte")
    assert refused.status_code == 422
    body = refused.json()
    assert (body["code"], [error["field"] for error in body["errors"]]) == ("invalid", ["password"])
    assert reason in body["detail"].lower()
    assert password == "password" or password not in body["detail"]


@pytest.mark.parametrize(
    "password",
    [
        "violet-anchor-93",
        "correct horse",
        "kQ7#pL2x",
        "Spaziergang am Kanal",
        "\u98ce\u548c\u65e5\u4e3d\u7684\u4e0b\u5348\u8336",
    ],
)
def test_ordinary_passwords_are_taken(backend: Backend, password: str) -> None:
    assert register(backend, f"u{secrets.token_hex(6)}", password).status_code == 201


def test_a_password_is_the_same_however_it_is_typed(backend: Backend) -> None:
    assert COMPOSED != DECOMPOSED
    for registered in (COMPOSED, DECOMPOSED):
        name = f"u{secrets.token_hex(6)}"
        assert register(backend, name, registered).status_code == 201
        assert [login(backend, name, typed) for typed in (COMPOSED, DECOMPOSED)] == [200, 200]


def test_an_account_whose_hash_is_older_than_the_form_can_still_log_in(
    backend: Backend, person: MakePerson, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    somebody = person()
    old = PasswordHasher().hash(DECOMPOSED)
    sql.execute("UPDATE users SET password_hash = %s WHERE id = %s", (old, somebody.id))
    assert login(backend, somebody.name, DECOMPOSED) == 200
    assert login(backend, somebody.name, "something else") == 401


def test_lengths_are_those_of_the_form(backend: Backend) -> None:
    refused = register(backend, f"u{secrets.token_hex(6)}", unicodedata.normalize("NFD", "\u00fc" * 7))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "password")


def test_names_have_one_form_and_public_ones_are_unique_under_it(backend: Backend, person: MakePerson) -> None:
    somebody = person()
    mark = secrets.token_hex(5)
    created = somebody.post("/channels/", {"name": f"  #{mark}  Cafe\u0301 \u00a0 bar "})
    assert created.json()["name"] == f"#{mark} Caf\u00e9 bar"
    for spelling in (f"#{mark} Caf\u00e9 bar", f"#{mark} CAFE\u0301\u2003bar", f"##{mark}  caf\u00e9   bar"):
        assert somebody.post("/channels/", {"name": spelling}).json()["code"] == "channel_exists", ascii(spelling)
    for asked in (f"{mark} cafe\u0301", f" #{mark}   CAF\u00c9 b"):
        found = somebody.get("/channels/search", name=asked).json()["items"]
        assert [item["id"] for item in found] == [created.json()["id"]], ascii(asked)
    named = register(backend, f"u{secrets.token_hex(6)}", "violet-anchor-93", display_name=" Rene\u0301   M. ")
    assert named.json()["display_name"] == "Ren\u00e9 M."


@pytest.mark.parametrize(
    "nothing", ["\u200b", "\u3164", "\u0301", "\u00a0\u2003", "\u202e\u202c", "\u2800", "\ufeff"], ids=ascii
)
def test_a_name_or_a_message_has_something_to_be_seen(backend: Backend, person: MakePerson, nothing: str) -> None:
    somebody = person()
    channel = somebody.channel()["id"]
    refused = {
        "display_name": register(backend, f"u{secrets.token_hex(6)}", "violet-anchor-93", display_name=nothing),
        "name": somebody.post("/channels/", {"name": nothing, "type": "private"}),
        "content": somebody.post(f"/channels/{channel}/messages", {"content": nothing}),
    }
    for field, answer in refused.items():
        assert answer.status_code == 422, field
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    refused = somebody.post("/channels/", {"name": f"#{nothing}"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["message"].startswith(("must ", "the name "))


def test_a_name_that_reads_as_another_is_refused_and_a_message_may_say_what_it_likes(person: MakePerson) -> None:
    somebody = person()
    for hidden in ("\u202e", "\u200b", "\u2066", "\u00ad"):
        refused = somebody.post("/channels/", {"name": f"#gen{hidden}eral"})
        assert (refused.status_code, "invisible" in refused.json()["detail"]) == (422, True), ascii(hidden)
    channel = somebody.channel()["id"]
    text = "  \u05e9\u05dc\u05d5\u05dd \u200f cafe\u0301\n\nas it came "
    assert somebody.says(channel, text)["content"] == text
