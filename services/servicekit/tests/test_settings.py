"""Settings come only from PLUMBLINE_ variables, and an error names the variable."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError
from servicekit.secrets import SecretError
from servicekit.settings import DatabaseSettings, RedisSettings, ServiceSettings, TokenSettings, explain

from plumbline.verification.throwaway import shared_secrets


class _Settings(ServiceSettings, RedisSettings, DatabaseSettings, TokenSettings):
    pass


@pytest.fixture
def environment(monkeypatch, tmp_path):
    password = tmp_path / "password"
    password.write_text("pä'ss wo=rd\\\n")
    values = {"PORT": "8001", "POSTGRES_PASSWORD_FILE": str(password), "TOKEN_SECRET_FILE": str(tmp_path / "token")}
    for name, value in values.items():
        monkeypatch.setenv(f"PLUMBLINE_{name}", value)
    for name, value in shared_secrets(tmp_path).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_variable_without_the_prefix_is_ignored(environment):
    environment.setenv("POSTGRES_PORT", "tcp://10.0.0.1:5432")
    environment.setenv("PORT", "1")
    settings = _Settings()
    assert (settings.port, settings.postgres_port) == (8001, 5432)


def test_the_password_survives_the_connection_string(environment):
    parts = conninfo_to_dict(_Settings().conninfo("backend"))
    assert parts["password"] == "pä'ss wo=rd\\"
    assert (parts["user"], parts["dbname"], parts["application_name"]) == ("app_user", "app_db", "backend")
    assert int(parts["connect_timeout"]) > 0, "a connection attempt is bounded"


def test_settings_contain_no_secret(environment):
    assert "ss wo" not in repr(_Settings())


def test_a_missing_secret_file_is_named_when_it_is_needed(environment, tmp_path):
    with pytest.raises(SecretError, match=str(tmp_path / "token")):
        _Settings().token_secret()


def test_every_wrong_setting_is_named_by_its_variable_and_none_shows_its_value(environment):
    environment.delenv("PLUMBLINE_POSTGRES_PASSWORD_FILE")
    environment.setenv("PLUMBLINE_PORT", "99999")
    environment.setenv("PLUMBLINE_WORKERS", "a-few")
    environment.setenv("PLUMBLINE_LOG_LEVEL", "chatty")
    with pytest.raises(ValidationError) as caught:
        _Settings()
    said = explain(caught.value)
    for name in ("POSTGRES_PASSWORD_FILE", "PORT", "WORKERS", "LOG_LEVEL"):
        assert f"PLUMBLINE_{name}: " in said
    assert "a-few" not in said
    assert "\n" not in said


def test_every_setting_is_described():
    undescribed = [name for name, field in _Settings.model_fields.items() if not field.description]
    assert undescribed == []


def test_settings_are_frozen(environment):
    with pytest.raises(ValidationError):
        _Settings().port = 1
