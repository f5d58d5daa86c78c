"""Certificates for checks and tests, made with openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from plumbline.errors import NotGivenError

_OPENSSL_S = 60


def make(folder: Path, name: str, *options: str, file: str = "one") -> tuple[Path, Path]:
    """Make a certificate for a name, and its key. Raises NotGivenError without openssl."""
    if shutil.which("openssl") is None:
        raise NotGivenError("needs the program openssl, to make certificates")
    crt, key = folder / f"{file}.crt", folder / f"{file}.key"
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key),
        "-out", str(crt), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
        *(options or ("-days", "30")),
    )  # fmt: skip
    return crt, key


def expire(crt: Path, key: Path) -> None:
    """Let a certificate expire yesterday."""
    _openssl("x509", "-in", str(crt), "-days", "-1", "-signkey", str(key), "-out", str(crt))


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=_OPENSSL_S)
