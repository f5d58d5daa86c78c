"""What a rotation has begun, so that it can be finished after an interruption."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from plumbline import secret_files
from plumbline.errors import PlumblineError

JOURNAL = ".rotation"


@dataclass(frozen=True, slots=True)
class Rotation:
    """One rotation: the secret's name, its former value and its new one."""

    name: str
    old: str
    new: str

    def save(self, folder: Path) -> None:
        """Write the journal beside the secrets."""
        secret_files.write(folder / JOURNAL, json.dumps(asdict(self)).encode())


def load(folder: Path) -> Rotation | None:
    """Return the rotation that has begun, None if there is none. Raises PlumblineError."""
    file = folder / JOURNAL
    try:
        return Rotation(**json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise PlumblineError(
            f"{file} cannot be read", hint=f"delete it, then ./deploy-local.sh up applies the secrets in {folder}"
        ) from None


def clear(folder: Path) -> None:
    """Forget the rotation: it is finished."""
    (folder / JOURNAL).unlink(missing_ok=True)
