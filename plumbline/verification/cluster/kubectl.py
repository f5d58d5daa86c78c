"""kubectl, as administrator of the cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path

from plumbline.errors import PlumblineError

_PATIENCE_S = 120


def run(kubeconfig: Path, *arguments: str, stdin: str = "", check: bool = True, timeout: float = _PATIENCE_S) -> str:
    """Run kubectl and return its output. Raises PlumblineError if it fails."""
    done = subprocess.run(
        ["kubectl", f"--kubeconfig={kubeconfig}", *arguments],
        input=stdin, capture_output=True, text=True, check=False, timeout=timeout,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise PlumblineError(f"kubectl {' '.join(arguments[:3])} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout
