"""Preparation for `docker compose` by hand: secret files, and their folder in docker/.env."""

from __future__ import annotations

from pathlib import Path

from plumbline import secret_files
from plumbline.errors import PlumblineError
from plumbline.targets.compose.project import CHECKOUT

_NAMED = "PLUMBLINE_SECRETS_DIR=./secrets"


def make_secrets(folder: Path = CHECKOUT) -> list[str]:
    """Create the missing secret files below `folder`, name them in its .env and return the names of the new ones."""
    place = folder / "secrets"
    place.mkdir(mode=0o700, exist_ok=True)
    created = secret_files.generate(place)
    secret_files.share_with_containers(place)
    wrong = secret_files.problems(place, shared_with_containers=True)
    if wrong:
        raise PlumblineError("\n".join(wrong))
    secret_files.tidy(place)
    environment = folder / ".env"
    lines = environment.read_text().splitlines() if environment.exists() else []
    kept = [line for line in lines if not line.startswith(_NAMED.partition("=")[0] + "=")]
    environment.write_text("\n".join([*kept, _NAMED]) + "\n")
    return created
