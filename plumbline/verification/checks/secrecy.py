"""Checks that secrets are hard to guess, unique, readable only by their owner, and only in their files."""

from __future__ import annotations

import base64
import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from servicekit.rotating import ALSO
from servicekit.secrets import SecretError, read_secret
from zxcvbn import zxcvbn  # type: ignore[import-untyped]

from plumbline import ROOT
from plumbline.home import DEFAULT_HOME
from plumbline.inside import Inside

NAMES = ("postgres_password", "token_secret", "operator_password", "redis_password", "internal_secret")
_GUESSES_MIN = 10**8
"""Minimum number of guesses for secrets chosen by operators; generated ones need far more."""
_GENERATED_MIN = 32
"""Characters of a generated secret: 128 bits even where only hexadecimal digits are used."""
_ZXCVBN_READS = 72
_LARGE = 64 * 1024 * 1024
_SOURCES = ("docker", "docs", "k8s", "plumbline", "services", "tests", "README.md", "deploy-local.sh", "noxfile.py")
_SKIPPED = frozenset({"__pycache__", "node_modules", ".git"})


def read(home: Path) -> tuple[dict[str, str], list[str]]:
    """Return the secrets by name, and messages about those that cannot be read."""
    found, problems = {}, []
    for name in NAMES:
        try:
            found[name] = read_secret(home / "secrets" / name)
        except SecretError as error:
            problems.append(f"{name}: {error}")
    return found, problems


def readable(home: Path, inside: Inside) -> Iterator[str]:
    """Find files and folders of the home that other accounts than the owner can access."""
    owner = home.stat().st_uid
    passage = 0o711 if owner == 0 else 0o700  # as root, Postgres's own account passes through to its data
    expected = {home: passage, home / "data": passage}
    expected |= {home / name: 0o700 for name in ("secrets", "logs", "run", "diagnostics")}
    for name in ("state.json", "state.copy.json", "settings.env", "kubernetes.json"):
        expected[home / name] = 0o600
    # Containers read the files under their own accounts. The folder, which they do not see, is closed to others.
    for path in (home / "secrets").iterdir():
        expected[path] = 0o444 if inside.secrets_shared and path.name.removesuffix(ALSO) in NAMES else 0o600
    expected |= {home / "logs" / f"{process.component}.log": 0o600 for process in inside.processes if not process.place}
    expected.pop(home / "logs" / "supervisor.log", None)
    for path, mode in expected.items():
        if not path.exists() or path.is_symlink():
            continue
        found = path.stat()
        if found.st_uid != owner:
            yield f"{path}: belongs to uid {found.st_uid}; expected uid {owner}, the owner of the home"
        if stat.S_IMODE(found.st_mode) & ~mode:
            yield f"{path}: has mode {stat.S_IMODE(found.st_mode):03o}; expected {mode:03o}"


def weak(secrets: Mapping[str, str]) -> Iterator[str]:
    """Find secrets that are easy to guess, equal to one another, or written in the sources."""
    for name, value in secrets.items():
        guesses = zxcvbn(value[:_ZXCVBN_READS])["guesses"]
        if guesses < _GUESSES_MIN:
            yield f"{name}: can be guessed in about {int(guesses)} attempts; expected at least {_GUESSES_MIN}"
    names = [*secrets]
    for at, name in enumerate(names):
        for other in names[at + 1 :]:
            if secrets[name] == secrets[other]:
                yield f"{name} and {other} are equal; expected each to be different"
    for path in _source_files():
        text = path.read_bytes()
        for name in _in(text, secrets):
            yield f"{name}: its value is written in {path}; expected it in no file of the sources"


def constant(secrets: Mapping[str, str], generated: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Find secrets that another stack has, too: one of the default home, or one of those `generated` for new stacks."""
    others: dict[str, Mapping[str, str]] = {f"new stack {number}": one for number, one in enumerate(generated, start=1)}
    for title, own in others.items():
        for name in NAMES:
            value = own.get(name, "")
            if len(value) < _GENERATED_MIN:
                yield f"{name}: {title} gets {len(value)} characters; expected at least {_GENERATED_MIN}"
        for other_title, other in others.items():
            shared = [name for name in NAMES if title < other_title and own.get(name) in other.values()]
            yield from (f"{name}: {title} and {other_title} get the same value" for name in shared)
    if os.access(DEFAULT_HOME / "secrets", os.R_OK | os.X_OK):
        others[f"the stack in {DEFAULT_HOME}"] = read(DEFAULT_HOME)[0]
    for title, other in others.items():
        if secrets != other:
            for name in secrets:
                if secrets[name] in other.values():
                    yield f"{name}: {title} has the same value; expected each stack to have its own"


def in_processes(secrets: Mapping[str, str], inside: Inside) -> Iterator[str]:
    """Find secrets in an environment or a command line."""
    for process in inside.processes:
        who = f"{process.component}: process {process.pid}"
        for name in _in("\0".join(process.command).encode(), secrets):
            yield f"{who} has {name} in its command line; expected the path of its file"
        for variable, value in process.environment.items():
            for name in _in(value.encode(), secrets):
                yield f"{who} has {name} in its variable {variable}; expected the path of its file"


def in_files(secrets: Mapping[str, str], home: Path) -> Iterator[str]:
    """Find secrets in files of the home: state, configuration, logs, diagnostics."""
    for path in _files(home):
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # of a process that has ended
            continue
        for name in _in(content, secrets):
            yield f"{path}: holds {name}; expected it in {home / 'secrets' / name} alone"


def in_logs(secrets: Mapping[str, str], logs: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Find secrets in logs of components."""
    for component, lines in logs.items():
        for name in _in("\n".join(lines).encode(), secrets):
            yield f"{component}: its log holds {name}; expected it in no log"


def _in(text: bytes, secrets: Mapping[str, str]) -> list[str]:
    """Return the names of the secrets that a text holds, plain or in one of the usual spellings."""
    return [name for name, value in secrets.items() if any(spelt in text for spelt in _spellings(value))]


def _spellings(value: str) -> set[bytes]:
    raw = value.encode()
    return {raw, quote(value, safe="").encode(), base64.b64encode(raw).rstrip(b"="), raw.hex().encode()}


def _source_files() -> Iterator[Path]:
    for top in _SOURCES:
        yield from _files(ROOT / top) if (ROOT / top).is_dir() else [ROOT / top]


def _files(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top):
        # Postgres stores passwords only hashed, and its files belong to another account.
        inner = {"secrets", "data"} if Path(folder) == top else set()
        folders[:] = [name for name in folders if name not in _SKIPPED | inner]
        for name in names:
            path = Path(folder) / name
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink() and path.stat().st_size < _LARGE:
                    yield path
