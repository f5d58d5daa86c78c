"""Strength of passwords, and Unicode normalisation of names and texts."""

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

from .conftest import TIMEOUT_S, Backend, User

NewUser = Callable[[], User]
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
def test_an_easily_guessed_password_is_refused_with_the_reason(backend: Backend, password: str, reason: str) -> None:
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
def test_ordinary_passwords_are_accepted(backend: Backend, password: str) -> None:
    assert register(backend, f"u{secrets.token_hex(6)}", password).status_code == 201


def test_a_password_matches_in_both_unicode_forms(backend: Backend) -> None:
    assert COMPOSED != DECOMPOSED
    for registered in (COMPOSED, DECOMPOSED):
        name = f"u{secrets.token_hex(6)}"
        assert register(backend, name, registered).status_code == 201
        assert [login(backend, name, typed) for typed in (COMPOSED, DECOMPOSED)] == [200, 200]


def test_an_old_hash_of_a_decomposed_password_still_matches(
    backend: Backend, new_user: NewUser, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    user = new_user()
    old = PasswordHasher().hash(DECOMPOSED)
    sql.execute("UPDATE users SET password_hash = %s WHERE id = %s", (old, user.id))
    assert login(backend, user.name, DECOMPOSED) == 200
    assert login(backend, user.name, "something else") == 401


def test_password_length_is_checked_after_normalisation(backend: Backend) -> None:
    refused = register(backend, f"u{secrets.token_hex(6)}", unicodedata.normalize("NFD", "\u00fc" * 7))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "password")


def test_names_are_normalised_and_public_ones_are_unique_in_that_form(backend: Backend, new_user: NewUser) -> None:
    user = new_user()
    mark = secrets.token_hex(5)
    created = user.post("/channels/", {"name": f"  #{mark}  Cafe\u0301 \u00a0 bar "})
    assert created.json()["name"] == f"#{mark} Caf\u00e9 bar"
    for spelling in (f"#{mark} Caf\u00e9 bar", f"#{mark} CAFE\u0301\u2003bar", f"##{mark}  caf\u00e9   bar"):
        assert user.post("/channels/", {"name": spelling}).json()["code"] == "channel_exists", ascii(spelling)
    for asked in (f"{mark} cafe\u0301", f" #{mark}   CAF\u00c9 b"):
        found = user.get("/channels/search", name=asked).json()["items"]
        assert [item["id"] for item in found] == [created.json()["id"]], ascii(asked)
    named = register(backend, f"u{secrets.token_hex(6)}", "violet-anchor-93", display_name=" Rene\u0301   M. ")
    assert named.json()["display_name"] == "Ren\u00e9 M."


@pytest.mark.parametrize(
    "nothing", ["\u200b", "\u3164", "\u0301", "\u00a0\u2003", "\u202e\u202c", "\u2800", "\ufeff"], ids=ascii
)
def test_names_and_messages_without_a_visible_character_are_refused(
    backend: Backend, new_user: NewUser, nothing: str
) -> None:
    user = new_user()
    channel = user.channel()["id"]
    refused = {
        "display_name": register(backend, f"u{secrets.token_hex(6)}", "violet-anchor-93", display_name=nothing),
        "name": user.post("/channels/", {"name": nothing, "type": "private"}),
        "content": user.post(f"/channels/{channel}/messages", {"content": nothing}),
    }
    for field, answer in refused.items():
        assert answer.status_code == 422, field
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    refused = user.post("/channels/", {"name": f"#{nothing}"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["message"].startswith(("must ", "the name "))


def test_invisible_characters_are_refused_in_names_and_kept_in_messages(new_user: NewUser) -> None:
    user = new_user()
    for hidden in ("\u202e", "\u200b", "\u2066", "\u00ad"):
        refused = user.post("/channels/", {"name": f"#gen{hidden}eral"})
        assert (refused.status_code, "invisible" in refused.json()["detail"]) == (422, True), ascii(hidden)
    channel = user.channel()["id"]
    text = "  \u05e9\u05dc\u05d5\u05dd \u200f cafe\u0301\n\nas it came "
    assert user.post_message(channel, text)["content"] == text
