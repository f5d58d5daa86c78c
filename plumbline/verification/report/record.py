"""The record of a run: one JSON document per line, appended as things happen, so that a killed run leaves it, too."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

from servicekit.log.clean import clean
from servicekit.log.redact import redact

FOLDER, SESSION = "PLUMBLINE_REPORT", "NOX_CURRENT_SESSION"
"""Variables that tell a program of a session where to record."""
FILE = "run.jsonl"
KEY = "key"
"""Tells names apart."""
MASK = "[secret]"
_LONGEST = 40_000
_NOT_XML = dict.fromkeys((0xFFFE, 0xFFFF), 0xFFFD)


class Record:
    """Appends documents of one session. Secrets are masked before anything is written."""

    def __init__(self, folder: Path, session: str = "") -> None:
        self.folder = folder
        self.session = session
        self._secrets: list[str] = []

    def mask(self, secrets: Iterable[str]) -> None:
        """Mask these values in all that follows, besides everything that looks like a secret."""
        self._secrets = sorted({*self._secrets, *secrets} - {""}, key=len, reverse=True)

    def write(self, kind: str, **fields: Any) -> None:
        """Append a document."""
        document = {"kind": kind, "session": self.session, "at": time.time(), **fields}
        if "name" in fields:
            # Names with something masked may become equal.
            document[KEY] = hashlib.sha256(fields["name"].encode("utf-8", "replace")).hexdigest()[:16]
        line = json.dumps(self._safe(document), ensure_ascii=False, default=str) + "\n"
        # Several processes append: one call per line keeps lines whole.
        descriptor = os.open(self.folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)

    def _safe(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._safe_text(value)
        if isinstance(value, dict):
            return {self._safe(name): self._safe(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._safe(one) for one in value]
        return value

    def _safe_text(self, text: str) -> str:
        text = clean(text).translate(_NOT_XML)
        if len(text) > _LONGEST:
            text = f"{text[: _LONGEST // 2]}\n… {len(text) - _LONGEST} characters left out …\n{text[-_LONGEST // 2 :]}"
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return redact(text)


def of_this_process(environment: MutableMapping[str, str] = os.environ) -> Record | None:
    """Return where this process shall record, or None. Programs that it starts record nothing of their own."""
    folder = environment.pop(FOLDER, None)
    return Record(Path(folder), environment.get(SESSION, "")) if folder and Path(folder).is_dir() else None


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the documents of a run. A line that was cut off by a kill is left out."""
    with (folder / FILE).open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                document = json.loads(line)
            except ValueError:
                continue
            yield document
