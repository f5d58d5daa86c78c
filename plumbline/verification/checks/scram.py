"""Finds out whether a role of Postgres has a password, by the salt with which the server begins a login.

For a role without a password, the server derives the salt from a nonce of the cluster, so that clients cannot tell.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import socket
import struct
from collections.abc import Sequence

from plumbline.errors import NotGivenError
from plumbline.stack import PostgresAddress

_VERSION_3 = 196608
_SASL, _SASL_CONTINUE = 10, 11
_SALT_BYTES = 16
_NONCE = re.compile(r"^Mock authentication nonce:\s+([0-9a-f]{64})$")
_TIMEOUT_S = 10


def has_password(address: PostgresAddress, role: str, pg_controldata: Sequence[str]) -> bool | None:
    """Return whether a role has a password; None if the server asks for none. Raises NotGivenError."""
    nonces = [found[1] for line in pg_controldata if (found := _NONCE.match(line))]
    if not nonces:
        raise NotGivenError("needs what pg_controldata says of the stack's own Postgres")
    salt = _salt(address, role)
    if salt is None:
        return None
    invented = hashlib.sha256(role.encode() + bytes.fromhex(nonces[0])).digest()[:_SALT_BYTES]
    return salt != invented


def _salt(address: PostgresAddress, role: str) -> bytes | None:
    """Begin a login and return the salt from the server's first answer."""
    with socket.create_connection((address.host, address.port), _TIMEOUT_S) as server, server.makefile("rb") as answers:

        def receive() -> tuple[int, bytes]:
            header = answers.read(5)
            content = answers.read(struct.unpack(">I", header[1:])[0] - 4)
            return (struct.unpack(">I", content[:4])[0], content[4:]) if header[:1] == b"R" else (-1, content)

        start = b"user\0%b\0database\0%b\0\0" % (role.encode(), address.database.encode())
        server.sendall(struct.pack(">II", len(start) + 8, _VERSION_3) + start)
        if receive()[0] != _SASL:
            return None
        first = b"n,,n=,r=%b" % secrets.token_urlsafe(18).encode()
        answer = b"SCRAM-SHA-256\0" + struct.pack(">I", len(first)) + first
        server.sendall(b"p" + struct.pack(">I", len(answer) + 4) + answer)
        kind, content = receive()
        salt = re.search(rb",s=([^,]+)", content)
        return base64.b64decode(salt[1]) if kind == _SASL_CONTINUE and salt else None
