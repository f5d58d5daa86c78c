"""The certificates of the cluster, made with openssl."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from plumbline.errors import PlumblineError

_DAYS = "30"
_CONFIG = "[req]\ndistinguished_name = dn\n[dn]\n"


class Authority:
    """An authority with its folder of certificates: NAME.crt and NAME.key."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder = folder
        self.name = name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "openssl.cnf").write_text(_CONFIG)
        self._request(name, f"/CN=plumbline-{name}", ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"])

    @property
    def certificate(self) -> Path:
        """Its own certificate."""
        return self.folder / f"{self.name}.crt"

    def issue(self, name: str, user: str, group: str = "", addresses: Sequence[str] = ()) -> tuple[Path, Path]:
        """Return certificate and key of a user, who is also a server with these addresses."""
        subject = f"{f'/O={group}' if group else ''}/CN={user}"
        usage = ["keyUsage=digitalSignature", "extendedKeyUsage=clientAuth,serverAuth", "basicConstraints=CA:FALSE"]
        names = ",".join(f"{'IP' if one.replace('.', '').isdigit() else 'DNS'}:{one}" for one in addresses)
        if names:
            usage.append(f"subjectAltName={names}")
        return self._request(
            name, subject, usage, "-CA", str(self.certificate), "-CAkey", str(self.folder / f"{self.name}.key")
        )

    def key_pair(self, name: str) -> tuple[Path, Path]:
        """Return a public and a private key."""
        public, private = self.folder / f"{name}.pub", self.folder / f"{name}.key"
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(private))
        _openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
        return public, private

    def _request(self, name: str, subject: str, extensions: Sequence[str], *signer: str) -> tuple[Path, Path]:
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        _openssl(
            "req", "-x509", "-config", str(self.folder / "openssl.cnf"), "-newkey", "ec",
            "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", _DAYS, "-subj", subject,
            "-out", str(certificate), "-keyout", str(key), *signer,
            *(argument for one in extensions for argument in ("-addext", one)),
        )  # fmt: skip
        key.chmod(0o600)
        return certificate, key

    def kubeconfig(self, server: str, name: str, user: str, group: str = "", context: str = "cluster") -> Path:
        """Write the configuration of a client with a certificate of its own; return its place."""
        certificate, key = self.issue(name, user, group)
        place = self.folder / f"{name}.kubeconfig"
        place.touch(mode=0o600)
        place.write_text(f"""apiVersion: v1
kind: Config
current-context: {context}
clusters: [{{name: {context}, cluster: {{server: "{server}", certificate-authority: "{self.certificate}"}}}}]
users: [{{name: {context}, user: {{client-certificate: "{certificate}", client-key: "{key}"}}}}]
contexts: [{{name: {context}, context: {{cluster: {context}, user: {context}}}}}]
""")
        return place


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PlumblineError(f"openssl {arguments[0]} failed: {done.stderr.strip()[-500:]}")
