"""Text without a secret is unchanged: the stack's own sentences, and log lines of the programs that it runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from servicekit.log.redact import redact

SERVICES = Path(__file__).parents[3]
LINES = r"""
there is no session: log in first
log in first: this needs a session cookie or a bearer token
a session token was refused: the token was not signed by this stack
this session's user no longer exists: log in again
user name or password is wrong
too many failed logins: try again in 7 s
secret file /run/secrets/postgres_password is missing: write one line into it
{"level":"info","ts":1763845137.1,"msg":"handled request","request":{"method":"GET","uri":"/auth/me"}}
{"level":"warn","msg":"aborting with incomplete response","error":"writing: broken pipe"}
{"level":"error","msg":"dial tcp 127.0.0.1:41235: connect: connection refused","upstream":"127.0.0.1:41235"}
using config from file {"file": "/etc/caddy/Caddyfile"}
admin endpoint disabled
server running {"name": "srv0", "protocols": ["h1"]}
[INFO] Starting granian (main PID: 4711)
[INFO] Listening at: http://127.0.0.1:8001
[WARNING] Application callable raised an exception
[INFO] Shutting down granian
LOG:  database system is ready to accept connections
LOG:  listening on IPv4 address "127.0.0.1", port 5432
FATAL:  password authentication failed for user "app_user"
DETAIL:  Connection matched file "/data/pg_hba.conf" line 1: "host all all 127.0.0.1/32 scram-sha-256"
ERROR:  duplicate key value violates unique constraint "users_username_key"
DETAIL:  Key (username)=(ada) already exists.
ERROR:  canceling statement due to statement timeout
LOG:  could not send data to client: Broken pipe
LOG:  checkpoint complete: wrote 3 buffers (0.0%); 0 WAL file(s) added, 0 removed, 0 recycled
Ready to accept connections tcp
# WARNING Memory overcommit must be enabled!
# Server initialized
NOAUTH Authentication required.
WRONGPASS invalid username-password pair or user is disabled.
NOPERM User app has no permissions to run the 'flushall' command
Error 111 connecting to 127.0.0.1:6379. Connection refused.
OSError: [Errno 98] Address already in use: ('127.0.0.1', 8001)
KeyError: 'session'
ValueError: not enough values to unpack (expected 2, got 1)
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
connection to server at "127.0.0.1", port 5432 failed: FATAL: the database system is starting up
File "/srv/backend/sessions.py", line 41, in verify
    return await self._sessions.verify(token, session=session)
    verified = tokens.verify(self._secret, token)
the token's signature is wrong: sign in again
a key of the mapping was not found: page
passed 12 of 12 checks: all is well
bypass: none; compass: north
POST /auth/login 401 in 3.2 ms
GET http://127.0.0.1:8080/logs/entries?service=backend&level=error&limit=5
redis://127.0.0.1:6379/0 is away, and ops@example.com was told
mailto:ada@example.com and https://example.com:8443/a@b and 12:30@home
https://registry.example.com:4873/@scope/package
supervisord: spawned: 'backend' with pid 4712
exited: backend (terminated by SIGKILL; not expected)
ERROR: relation "sessions" does not exist
UNIQUE constraint failed: index 'auth_user_pkey'
signal: 15, sid 4711 is the session leader
<module 'token' from '/usr/lib/python3.11/token.py'>
pages: 3, size: 41235 bytes, sha256: 0123456789abcdef0123456789abcdef
""".strip().splitlines()  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_an_ordinary_line_is_unchanged(line):
    assert redact(line) == line


def sentences(path):
    """Yield the strings of a module without its docstrings."""
    tree = ast.parse(path.read_text())
    docs = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


@pytest.mark.parametrize("service", ["backend/backend", "data-processor/data_processor", "log-sink/log_sink"])
def test_the_stack_s_own_sentences_are_unchanged(service):
    said = {
        text
        for path in (SERVICES / service).rglob("*.py")
        for text in sentences(path)
        if re.match(r"[A-Za-z].* .* ", text)
    }
    assert len(said) > 20
    assert {text: redact(text) for text in said if redact(text) != text} == {}
