"""Compares settings, roles and authentication of the stack's own Postgres with the declared ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg

from plumbline.stack import Stack
from plumbline.verification.checks import scram

ROLE, DATABASE, SUPERUSER = "app_user", "app_db", "postgres"
_MAJOR = 16
_NO_FILE = "/nonexistent"
_DATABASES = frozenset({DATABASE, "postgres", "template0", "template1"})
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "zero_damaged_pages": "off",
    "ignore_checksum_failure": "off",
    "autovacuum": "on",
    "password_encryption": "scram-sha-256",
    "log_statement": "none",
    "log_min_duration_statement": "1000",
    "log_parameter_max_length": "-1",
    "idle_in_transaction_session_timeout": "60000",
    "default_transaction_isolation": "read committed",
    "session_replication_role": "origin",
    "allow_system_table_mods": "off",
    "row_security": "on",
    "server_encoding": "UTF8",
    "log_connections": "off",
    "debug_print_parse": "off",
    "debug_print_plan": "off",
    "enable_indexscan": "on",
    "max_connections": "100",
}
"""Settings on which safety, privacy or speed depend, each with its declared value."""
_SET_BY_DEPLOYMENTS = frozenset(
    """
    DateStyle TimeZone default_text_search_config dynamic_shared_memory_type lc_messages lc_monetary lc_numeric lc_time
    listen_addresses log_line_prefix log_timezone max_wal_size min_wal_size port shared_buffers unix_socket_directories
    """.split()  # noqa: SIM905  easier to read than one per line
)
"""Settings that a deployment or initdb sets, to values that depend on the machine."""
_MUST_NOT = ("rolsuper", "rolcreatedb", "rolcreaterole", "rolbypassrls", "rolreplication")
_RIGHTS = {
    "rolsuper": "is a superuser", "rolcreatedb": "may create databases", "rolcreaterole": "may create roles",
    "rolbypassrls": "passes by row security", "rolreplication": "may replicate",
}  # fmt: skip
_ATTRIBUTES = (
    ("rolcanlogin", True, "the right to log in"),
    ("rolinherit", True, "the inheritance of rights"),
    ("rolconnlimit", -1, "the limit of connections"),
    ("rolvaliduntil", None, "the end of the password"),
)
"""Attributes of the application's role, each with its declared value."""
_RULE = re.compile(r"^(host\w*\s+\S+\s+\S+\s+(?P<address>\S+)|local\s+\S+\s+\S+)\s+(?P<method>\S+)$")
_LOOPBACK = ("127.0.0.1/32", "::1/128")
_OF_DATABASE = (
    ("owner", ROLE), ("encoding", "UTF8"), ("datcollate", "C.UTF-8"), ("datctype", "C.UTF-8"), ("datconnlimit", "-1"),
    ("datallowconn", "true"), ("datistemplate", "false"),
)  # fmt: skip
Database = psycopg.Connection[dict[str, Any]]


def settings(database: Database) -> Iterator[str]:
    """Find settings of the server, the database or a role that differ from the declared ones."""
    found = {
        row["name"]: row
        for row in database.execute(
            "SELECT name, setting, source, sourcefile FROM pg_settings WHERE name = ANY (%s)", ([*SETTINGS],)
        )
    }
    for name, expected in SETTINGS.items():
        if name in found and found[name]["setting"] != expected:
            where = found[name]["sourcefile"] or found[name]["source"]
            yield f"postgres: {name} is {found[name]['setting']} (from {where}); expected {expected}"
    for row in database.execute(
        "SELECT name, setting, coalesce(sourcefile, source) AS place FROM pg_settings"
        " WHERE source IN ('configuration file', 'command line') AND setting IS DISTINCT FROM boot_val"
        " AND NOT name = ANY (%s) ORDER BY name",
        ([*SETTINGS, *_SET_BY_DEPLOYMENTS],),
    ):
        yield f"postgres: {row['name']} is {row['setting']} (from {row['place']}); expected it not to be set"
    major = database.info.server_version // 10000
    if major != _MAJOR:
        yield f"postgres: its version is {major}; expected {_MAJOR}"
    for row in database.execute(
        "SELECT coalesce(d.datname, 'every database') AS base, coalesce(r.rolname, 'every role') AS role, s.setconfig"
        " FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase"
        " LEFT JOIN pg_roles r ON r.oid = s.setrole"
    ):
        changed = ", ".join(row["setconfig"])
        yield f"postgres: {row['base']} changes {changed} for {row['role']}; expected no settings of a database or role"


def roles(database: Database) -> Iterator[str]:
    """Find undeclared roles, databases and extensions, and rights that the application's role must not have."""
    found = {row["rolname"]: row for row in database.execute("SELECT * FROM pg_roles WHERE rolname !~ '^pg_'")}
    for name in sorted(found.keys() - {ROLE, SUPERUSER}):
        yield f"postgres: there is a role {name}; expected {ROLE} and {SUPERUSER} alone"
    for right in _MUST_NOT:
        if found[ROLE][right]:
            yield f"postgres: {ROLE} {_RIGHTS[right]}; expected it not to"
    for attribute, declared, what in _ATTRIBUTES:
        if found[ROLE][attribute] != declared:
            yield f"postgres: {what} of {ROLE} is {found[ROLE][attribute]}; expected {declared}"
    for row in database.execute(
        "SELECT m.rolname AS member, g.rolname AS role FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member"
        " JOIN pg_roles g ON g.oid = a.roleid WHERE m.rolname !~ '^pg_'"
    ):
        yield f"postgres: {row['member']} has the rights of {row['role']}; expected no role to have another's"
    databases = {
        row["datname"]: row
        for row in database.execute(
            "SELECT datname, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datcollate,"
            " datctype, datconnlimit::text, datallowconn::text, datistemplate::text FROM pg_database"
        )
    }
    for name in sorted(databases.keys() - _DATABASES):
        yield f"postgres: there is a database {name}; expected {DATABASE} alone beside those of Postgres itself"
    own = databases[DATABASE]
    for what, expected in _OF_DATABASE:
        if own[what].replace("utf8", "UTF-8") != expected:
            yield f"postgres: {what} of {DATABASE} is {own[what]}; expected {expected}"
    for row in database.execute("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'"):
        yield f"postgres: the extension {row['extname']} is installed; expected none"


_OF_A_WORKER_PROCESS = 4
"""One for the queue, one for its notifications, two for jobs."""


def connections(database: Database, settings: dict[str, str]) -> Iterator[str]:
    """Find that the pools of the services and the worker may exceed the server's connections."""
    taken = int((database.execute("SHOW max_connections").fetchone() or {})["max_connections"])
    reserved = int((database.execute("SHOW superuser_reserved_connections").fetchone() or {}).popitem()[1])

    def asked(service: str, name: str, default: int) -> int:
        return int(settings.get(f"PLUMBLINE_{service}_{name}", settings.get(f"PLUMBLINE_{name}", str(default))))

    needed = sum(asked(one, "WORKERS", 2) * asked(one, "POOL_SIZE", 8) for one in ("BACKEND", "DATA_PROCESSOR"))
    needed += asked("WORKER", "WORKERS", 2) * _OF_A_WORKER_PROCESS
    if needed > taken - reserved:
        yield f"postgres: takes {taken - reserved} connections of services; expected the {needed} of their pools"


def authentication(rules: Iterable[str], *, from_network: bool) -> Iterator[str]:
    """Find lines of pg_hba.conf that let in other hosts, anyone without a password, or passwords sent plainly."""
    for line in rules:
        text = line.partition("#")[0].strip()
        if not text:
            continue
        rule = _RULE.match(text)
        method = rule["method"] if rule else None
        expected = "peer" if text.startswith("local") else "scram-sha-256"
        if method != expected:
            yield f"postgres: pg_hba.conf lets clients in by {method}; expected {expected}: {text}"
        if rule and rule["address"] and not from_network and rule["address"] not in _LOOPBACK:
            yield f"postgres: pg_hba.conf lets in {rule['address']}; expected {' and '.join(_LOOPBACK)}: {text}"


def logins(stack: Stack, known: Iterable[str]) -> Iterator[str]:
    """Find roles without a password, or with one that is `known` or easy to guess."""
    own = stack.postgres.parameters()
    for role in (ROLE, SUPERUSER):
        guesses = {"", role, SUPERUSER, "password", "plumbline", "wrong", *known}
        if role == ROLE:
            guesses.discard(str(own["password"]))
        for password in sorted(guesses):
            if (where := _enters(own | {"user": role, "password": password})) is not None:
                how = "without a password" if not password else "with a password that is easy to guess"
                if password in known:
                    how = "with a secret of the stack"
                yield f"postgres: {role} can log in to {where} {how}; expected a refusal"
                break
    try:
        psycopg.connect(**own, require_auth="scram-sha-256", connect_timeout=30).close()
    except psycopg.OperationalError as error:
        yield f"postgres: takes the password of {own['user']} by another method than SCRAM-SHA-256: {_line(error)}"


def superuser_password(stack: Stack, pg_controldata: Sequence[str]) -> Iterator[str]:
    """Find that the superuser has a password, however hard to guess."""
    if scram.has_password(stack.postgres, SUPERUSER, pg_controldata):
        yield f"postgres: the role {SUPERUSER} has a password; expected none, so that no client can log in as it"


def _enters(parameters: dict[str, Any]) -> str | None:
    for database in (DATABASE, "postgres", "template1"):
        try:
            # Without libpq's password file.
            psycopg.connect(**(parameters | {"dbname": database}), passfile=_NO_FILE, connect_timeout=30).close()
        except psycopg.OperationalError as error:
            if "password" in str(error) or "pg_hba.conf" in str(error):
                continue
            if "does not exist" in str(error):
                return database  # it was let in, and only then found nothing
            raise
        return database
    return None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
