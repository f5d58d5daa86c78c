"""Checks of a given certificate and its key, as a client would check them."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

_EXPIRED, _NOT_YET, _OTHER_NAME = 10, 9, 62
"""OpenSSL's codes of verification errors."""


def problem(certificate: Path, key: Path, domain: str) -> str | None:
    """Return why this pair cannot serve `domain`, with a way out; None if it can."""
    for file in (certificate, key):
        try:
            file.read_bytes()
        except OSError as error:
            return f"{file} cannot be read ({error.strerror}): name a readable file"
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password, OpenSSL would ask at the terminal.
        server.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"the key {key} does not belong to the certificate {certificate}: name the key that it was made with"
        return f"{certificate} and {key} are not a certificate and its key in PEM, without a password: convert them"
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # trusts the certificate itself: its authority may be unknown
    client.load_verify_locations(certificate)
    try:
        _shake_hands(server, client, domain)
    except ssl.SSLCertVerificationError as error:
        said = {
            _EXPIRED: f"the certificate {certificate} has expired: renew it, and name the new one",
            _NOT_YET: f"the certificate {certificate} is not valid yet: check this machine's clock",
            _OTHER_NAME: f"the certificate {certificate} is not for {domain}: name one that is",
        }
        return said.get(error.verify_code, f"the certificate {certificate} is refused: {error.verify_message}")
    return None


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, domain: str) -> None:
    """Do a TLS handshake in memory. Raises SSLCertVerificationError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=domain),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(10):
        done = 0
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
                done += 1
        if done == len(ends):
            return
