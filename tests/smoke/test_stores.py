"""Postgres and Redis have the declared settings, roles and authentication.

Protects from a Postgres or Redis that loses data, or lets strangers in.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import redis

from plumbline.errors import NotGivenError
from plumbline.inside import Inside
from plumbline.stack import Stack
from plumbline.verification.checks import asked, findings, postgres, redis_server, secrecy

Database = psycopg.Connection[dict[str, Any]]
ROLES = "drop what is named, as a superuser in single-user mode (docs/security.md#postgres)"
HBA = "put right the line of pg_hba.conf, then restart postgres"
SET = "take back the setting (ALTER ... RESET, or its line in postgresql.conf), then restart postgres"
REDIS = "git checkout docker/redis, then ./deploy-local.sh"


@pytest.fixture
def own(inside: Inside) -> Inside:
    """The inside of a stack with its own Postgres."""
    if "pg_hba.conf" not in inside.texts:
        raise NotGivenError("needs the stack's own Postgres (this one is external)")
    return inside


@pytest.mark.usefixtures("own")
def test_postgres_has_the_declared_settings(database: Database, stack: Stack) -> None:
    found = [*postgres.settings(database), *postgres.connections(database, asked.settings(stack))]
    findings.require_none(found, about="Postgres is set otherwise than declared", then=SET)


@pytest.mark.usefixtures("own")
def test_postgres_has_the_declared_roles_and_databases(database: Database) -> None:
    found = postgres.roles(database)
    findings.require_none(found, about="Postgres has other roles, rights or databases than declared", then=ROLES)


def test_postgres_asks_every_client_for_a_password(own: Inside) -> None:
    found = postgres.authentication(own.texts["pg_hba.conf"], from_network=own.isolated)
    findings.require_none(found, about="Postgres lets clients in otherwise than declared", then=HBA)


def test_no_role_of_postgres_has_a_password_that_can_be_guessed(stack: Stack) -> None:
    secrets = secrecy.read(asked.home_of(stack))[0]
    found = postgres.logins(stack, secrets.values())
    findings.require_none(found, about="others can log in to Postgres", then="take the role's password away")


def test_the_superuser_of_postgres_has_no_password(own: Inside, stack: Stack) -> None:
    found = postgres.superuser_password(stack, own.texts["pg_controldata"])
    findings.require_none(found, about="a client could log in to Postgres as its superuser", then=ROLES)


def test_redis_writes_nothing_to_disk_and_limits_its_memory(redis_client: redis.Redis) -> None:
    found = redis_server.state(redis_client.info())
    findings.require_none(found, about="Redis runs otherwise than declared", then=REDIS)


def test_redis_is_configured_as_declared(inside: Inside) -> None:
    found = redis_server.directives(inside.texts.get("redis.conf", ()))
    findings.require_none(found, about="docker/redis/redis.conf says otherwise than declared", then=REDIS)


def test_redis_lacks_the_commands_that_change_it(stack: Stack) -> None:
    with stack.redis.connect(socket_timeout=10) as client:
        found = [*redis_server.commands(client)]
    findings.require_none(found, about="Redis could be reconfigured, copied or stopped by a client", then=REDIS)


def test_services_reach_only_their_own_keys_of_redis(stack: Stack) -> None:
    with stack.redis.connect(socket_timeout=10) as client:
        found = [*redis_server.foreign_keys(client)]
    findings.require_none(found, about="the services have more rights in Redis than declared", then=REDIS)
