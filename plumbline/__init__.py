"""The harness: deploys the stack and verifies it."""

from __future__ import annotations

import sys
from pathlib import Path

from plumbline import environment

ROOT = Path(__file__).resolve().parent.parent
"""The checkout. Services run from it, never from site-packages."""

# Here, because some libraries read the environment when they are imported.
environment.clean()

_SERVICEKIT = str(ROOT / "services" / "servicekit")
if _SERVICEKIT not in sys.path:
    sys.path.insert(0, _SERVICEKIT)
