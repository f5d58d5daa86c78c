"""The harness: deploys the stack, and proves a running deployment true."""

from __future__ import annotations

import sys
from pathlib import Path

from plumbline import environment

ROOT = Path(__file__).resolve().parent.parent
"""The checkout. It is the installation: services are found in it, never in site-packages."""

# Here, because some libraries read the environment as they are imported, and every program of the harness comes by.
environment.clean()

_SERVICEKIT = str(ROOT / "services" / "servicekit")
if _SERVICEKIT not in sys.path:
    sys.path.insert(0, _SERVICEKIT)
