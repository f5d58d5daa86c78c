"""The options of `up` for HTTPS."""

from __future__ import annotations

import argparse
from pathlib import Path

from plumbline import net
from plumbline.errors import PlumblineError
from plumbline.home import State
from plumbline.https.door import HTTP_PORT, HTTPS_PORT, LOCAL, NONE, Https, Issuer, is_public

_ALONE = ("certificate", "key", "acme_ca", "acme_ca_root", "http_port")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("HTTPS")
    group.add_argument(
        "--domain", metavar="NAME", help="serve HTTPS for this name, such as chat.example.org or localhost; none: HTTP"
    )
    group.add_argument("--certificate", type=Path, metavar="FILE", help="certificate (PEM, with its chain) to use")
    group.add_argument("--key", type=Path, metavar="FILE", help="key of that certificate")
    group.add_argument("--acme-ca", metavar="URL", help="ACME directory (default for public names: Let's Encrypt)")
    group.add_argument("--acme-ca-root", type=Path, metavar="FILE", help="certificate that the ACME server shows")
    group.add_argument(
        "--http-port", type=int, metavar="PORT", help=f"port that redirects to HTTPS (default: {HTTP_PORT})"
    )


def wanted(options: argparse.Namespace, state: State) -> Https | None:
    """Return the HTTPS that is asked for, or else that of the running stack. Raises PlumblineError."""
    before = Https.remembered(state.https)
    if options.domain is None:
        given = [f"--{name.replace('_', '-')}" for name in _ALONE if getattr(options, name) is not None]
        if given:
            raise PlumblineError(f"{given[0]} needs --domain", hint="add --domain with the name of this machine")
        return before
    if options.domain == NONE:
        return None
    if (options.certificate is None) != (options.key is None):
        raise PlumblineError(
            "a certificate needs its key, and a key its certificate", hint="give --certificate and --key"
        )
    domain = options.domain.lower().rstrip(".")
    issuer: Issuer = "given" if options.certificate else "acme" if options.acme_ca or is_public(domain) else "own"
    if domain == LOCAL and issuer != "own":
        raise PlumblineError(
            "localhost always has a certificate of Caddy's own authority", hint="drop the other options"
        )
    return Https(
        domain,
        issuer,
        _http_port(options, state, before),
        certificate=str(options.certificate.absolute()) if options.certificate else "",
        key=str(options.key.absolute()) if options.key else "",
        acme_ca=options.acme_ca or "",
        acme_root=str(options.acme_ca_root.absolute()) if options.acme_ca_root else "",
    )


def port(options: argparse.Namespace, state: State, https: Https | None) -> int | None:
    """Return the front port to ask for: HTTPS has one of its own."""
    changes = bool(https) != bool(state.https)
    asked: int | None = options.port
    if asked is None and changes and https:
        return HTTPS_PORT
    return asked


def _http_port(options: argparse.Namespace, state: State, before: Https | None) -> int:
    if options.http_port:
        return int(options.http_port)
    front = port(options, state, before)
    if front in (None, HTTPS_PORT) and (before is None or before.http_port == HTTP_PORT):
        return HTTP_PORT
    # On another port than 443, such as for a test, port 80 is probably not free either.
    return before.http_port if before else net.free_port()
