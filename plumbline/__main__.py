"""`python -m plumbline`."""

from plumbline.cli import main

raise SystemExit(main())
