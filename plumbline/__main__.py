"""The command line: `python -I plumbline/__main__.py`, or `python -m plumbline` in the checkout."""

import sys
from pathlib import Path

# `python -I` adds no folder to the path. Appended last, so that it shadows nothing.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from plumbline.cli import main

raise SystemExit(main())
