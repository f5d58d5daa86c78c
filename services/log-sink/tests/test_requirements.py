"""The log-sink needs no library that its image does not have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    sys.modules[name] = None
import log_sink
for module in pkgutil.walk_packages(log_sink.__path__, "log_sink."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
OF_OTHERS = {"jwt": "pyjwt", "psycopg": "psycopg", "fastapi": "fastapi", "django": "django", "PIL": "pillow"}
"""Libraries of other services: the module, and its name in a lock file."""


def test_the_log_sink_imports_no_library_of_other_services() -> None:
    locked = set(re.findall(r"^([\w.-]+)(?:\[.*\])?==", (ROOT / "requirements/log-sink.txt").read_text(), re.MULTILINE))
    absent = [module for module, name in OF_OTHERS.items() if name not in locked]
    assert absent
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *absent],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(ROOT / "services" / one) for one in ("log-sink", "servicekit")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
