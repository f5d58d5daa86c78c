"""Certificates made with openssl."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Pair = tuple[Path, Path]


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[..., Pair]:
    """Return a function that makes a certificate for a name, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here")

    def make(name: str, *options: str, file: str = "one") -> Pair:
        crt, key = tmp_path / f"{file}.crt", tmp_path / f"{file}.key"
        command = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", str(key), "-out", str(crt), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
            *(options or ("-days", "30")),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return crt, key

    return make
