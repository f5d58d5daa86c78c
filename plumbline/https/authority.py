"""An ACME authority: whether it can be asked, and whether it has given a certificate."""

from __future__ import annotations

import socket
import ssl
import time

import requests

_ANSWER_S = 10
_CERTIFICATE_S = 20.0
"""Most authorities have certified a name by then."""
_POLL_S = 0.25


def problem(directory: str, root: str) -> str | None:
    """Return why the authority with this directory cannot be asked, with a way out; None if it can.

    `root` is the file with the certificate that its server shows, or empty.
    """
    otherwise = "or give a certificate with --certificate and --key"
    try:
        answer = requests.get(directory, verify=root or True, timeout=_ANSWER_S)
        if "newOrder" in answer.json():
            return None
    except requests.exceptions.SSLError:
        return (
            f"the ACME authority {directory} shows a certificate that is not trusted here: name that of its own "
            "authority with --acme-ca-root"
        )
    except requests.exceptions.JSONDecodeError:
        pass
    except (requests.RequestException, OSError) as error:
        return (
            f"the ACME authority {directory} does not answer ({type(error).__name__}): check --acme-ca and this "
            f"machine's network, {otherwise}"
        )
    return f"{directory} is not the directory of an ACME authority: check --acme-ca, {otherwise}"


def missing(domain: str, port: int, patience_s: float = _CERTIFICATE_S) -> str:
    """Wait until the front door on this machine has a certificate for `domain`; say so if it gets none."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE  # whose it is does not matter here
    until = time.monotonic() + patience_s
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), _ANSWER_S) as connection:
                client.wrap_socket(connection, server_hostname=domain).close()
            return ""
        except OSError:  # an SSLError is one, too
            if time.monotonic() > until:
                return (
                    f"; {domain} has no certificate yet: Caddy goes on asking for one, and "
                    "./deploy-local.sh logs --component caddy shows the authority's reasons"
                )
            time.sleep(_POLL_S)
