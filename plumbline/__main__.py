"""The command line: `python -I plumbline/__main__.py`, or `python -m plumbline` in the checkout."""

import sys
from pathlib import Path

# Isolated, Python puts no folder of ours on its path, nor one of the caller's. At the end, where it shadows nothing.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from plumbline.cli import main

raise SystemExit(main())
