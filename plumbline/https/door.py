"""What `up --domain` asks for, and what Caddy is told for it."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from plumbline.components import CADDY
from plumbline.https import authority, certificates
from plumbline.settings.resolve import default

HTTPS_PORT, HTTP_PORT = 443, 80
LOCAL = "localhost"
NONE = "none"
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NOT_PUBLIC = ("localhost", "local", "internal", "test", "example", "invalid", "lan", "home", "corp", "arpa")
"""Last labels of names that no public authority certifies."""
Issuer = Literal["own", "given", "acme"]


@dataclass(frozen=True, slots=True)
class Https:
    """HTTPS for a name. `issuer` is Caddy's own authority, a given certificate, or an ACME authority."""

    domain: str
    issuer: Issuer
    http_port: int
    """Port that redirects to HTTPS, and on which ACME authorities ask."""
    certificate: str = ""
    key: str = ""
    acme_ca: str = ""
    acme_root: str = ""
    """File with the certificate of the ACME authority's own server."""

    @classmethod
    def remembered(cls, raw: dict[str, Any]) -> Https | None:
        """Return what the state file holds."""
        return cls(**raw) if raw else None

    def as_state(self) -> dict[str, Any]:
        """Return what the state file keeps."""
        return asdict(self)

    def problems(self) -> list[str]:
        """Return why this cannot be served, each with a way out."""
        found = []
        if not _DOMAIN.fullmatch(self.domain):
            found.append(f"--domain {self.domain} is not the name of a machine: give one such as chat.example.org")
        elif self.issuer == "given":
            wrong = certificates.problem(Path(self.certificate), Path(self.key), self.domain)
            found += [wrong] if wrong else []
        if self.acme_root and not Path(self.acme_root).is_file():
            found.append(f"--acme-ca-root {self.acme_root}: there is no such file")
        return found

    def authority_problems(self) -> list[str]:
        """Return why the ACME authority cannot be asked for a certificate."""
        if self.issuer != "acme":
            return []
        wrong = authority.problem(self.acme_ca or default(CADDY.name, "PLUMBLINE_ACME_CA"), self.acme_root)
        return [wrong] if wrong else []

    def public_url(self, port: int) -> str:
        """Return the address for users."""
        return f"https://{self.domain}{'' if port == HTTPS_PORT else f':{port}'}"

    def caddy_environment(self, port: int) -> dict[str, str]:
        """Return the variables of the Caddyfile."""
        told = {
            "PLUMBLINE_FRONT_DOOR": "https" if self.domain == LOCAL else f"https_{self.issuer}",
            "PLUMBLINE_AUTO_HTTPS": "disable_redirects",
            "PLUMBLINE_DOMAIN": self.domain,
            "PLUMBLINE_PUBLIC_HOST": self.public_url(port).removeprefix("https://"),
            "PLUMBLINE_HTTPS_PORT": str(port),
            "PLUMBLINE_HTTP_PORT": str(self.http_port),
        }
        if self.issuer == "given":
            told |= {"PLUMBLINE_CERTIFICATE": self.certificate, "PLUMBLINE_CERTIFICATE_KEY": self.key}
        if self.acme_ca:
            told["PLUMBLINE_ACME_CA"] = self.acme_ca
        if self.acme_root:
            told["PLUMBLINE_ACME_ROOT"] = f"trusted_roots {self.acme_root}"
        return told

    @property
    def front_host(self) -> str:
        """The address to listen on, unless settings.env names one: a name that others use is for all addresses."""
        return "127.0.0.1" if self.domain == LOCAL else "0.0.0.0"  # noqa: S104  a public machine


def is_public(domain: str) -> bool:
    """Return whether a public ACME authority may certify this name."""
    try:
        ipaddress.ip_address(domain)
    except ValueError:
        return "." in domain and domain.rpartition(".")[2] not in _NOT_PUBLIC
    return False


def keep_copies(https: Https, folder: Path, *, shared: bool) -> Https:
    """Copy a given certificate and key to the home, under names that change with them, and return the new paths."""
    if https.issuer != "given":
        return https
    folder.mkdir(mode=0o700, exist_ok=True)
    certificate, key = Path(https.certificate).read_bytes(), Path(https.key).read_bytes()
    name = hashlib.sha256(certificate + key).hexdigest()[:16]
    paths = (folder / f"{name}.crt", folder / f"{name}.key")
    for path, content in zip(paths, (certificate, key), strict=True):
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
        if shared:
            path.chmod(0o444)  # for the account in a container, which does not see the closed folder
    for old in {*folder.glob("*.crt"), *folder.glob("*.key")} - {*paths}:
        old.unlink()
    values = asdict(https) | {"certificate": str(paths[0]), "key": str(paths[1])}
    return Https(**values)
