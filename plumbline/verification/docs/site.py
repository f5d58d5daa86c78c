"""Writes docs/generated/ and the generated blocks of other files, or checks that they are what would be written."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline import ROOT
from plumbline.errors import PlumblineError
from plumbline.verification.checks import api, frames
from plumbline.verification.docs.pages import (
    accuracy,
    asyncapi,
    cluster,
    codes,
    decisions,
    defaults,
    dependencies,
    drills,
    faults,
    inventory,
    openapi,
    report,
    routes,
    run_steps,
    schema,
    upgrades,
)
from plumbline.verification.introspection import facts

GENERATED = ROOT / "docs" / "generated"

PAGES = {
    "defaults.md": defaults.page,
    "run-steps.md": run_steps.page,
    "inventory.md": inventory.page,
    "schema.md": schema.page,
    "routes.md": routes.page,
    "codes.md": codes.page,
    "faults.md": faults.page,
    "accuracy.md": accuracy.page,
    "drills.md": drills.page,
    "upgrades.md": upgrades.page,
    "dependencies.md": dependencies.page,
}
"""File name to the function that returns its text, in the order of the navigation."""
FILES: dict[str, Callable[[], str]] = {
    frames.DECLARED.name: asyncapi.file,
    "report.html": report.file,
    "report.css": report.style,
    **{api.DECLARED[service].name: functools.partial(openapi.of, service) for service in api.PATHS},
}
"""Files beside the pages: they are no Markdown, so they have no notice and are not in the navigation."""

_NOTICE = "<!-- Written by `python -m plumbline.verification.docs`: change the code, not this page. -->\n\n"
_FRONT_MATTER = re.compile(r"---\n.*?\n---\n\n", re.DOTALL)


def _navigation(files: Iterable[Path]) -> str:
    return "".join(f"      - {path.relative_to(ROOT / 'docs').as_posix()}\n" for path in files)


BLOCKS: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "defaults"): defaults.summary,
    ("docs/kubernetes.md", "cluster"): cluster.summary,
    ("docs/decisions/index.md", "decisions"): decisions.summary,
    ("mkdocs.yml", "reference"): lambda: _navigation(GENERATED / name for name in PAGES),
    ("mkdocs.yml", "decisions"): lambda: _navigation(decisions.files()),
}
"""File and name of each generated block, to the function that returns its text."""


def write() -> list[str]:
    """Write every page that is out of date, remove those that are generated no more, and return what was changed."""
    changed = []
    for path, text in wanted().items():
        if _read(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(f"wrote {_name(path)}")
    for path in _strays():
        path.unlink()
        changed.append(f"removed {_name(path)}")
    return changed


def check() -> list[str]:
    """Return a line for each page that differs, is missing, or is generated no more."""
    return [*_differences(), *(f"{_name(path)}: nothing writes this page any more" for path in _strays())]


def wanted() -> dict[Path, str]:
    """Return every file that is generated, wholly or in part, with the text it should have.

    Raises PlumblineError if a service cannot be read, else an ExceptionGroup of all that is wrong.
    """
    facts.services()
    files: dict[Path, str] = {}
    errors: dict[str, PlumblineError] = {}
    for name, page in PAGES.items():
        with _collected(errors):
            files[GENERATED / name] = _with_notice(page())
    for name, file in FILES.items():
        with _collected(errors):
            files[GENERATED / name] = file()
    for (name, block), content in BLOCKS.items():
        path = ROOT / name
        with _collected(errors):
            files[path] = _with_block(name, files.get(path) or _read(path) or "", block, content())
    if errors:
        raise ExceptionGroup("these pages cannot be written", list(errors.values()))
    return files


@contextmanager
def _collected(errors: dict[str, PlumblineError]) -> Iterator[None]:
    try:
        yield
    except PlumblineError as error:
        errors[str(error)] = error  # once, if several pages need the same


def _with_notice(text: str) -> str:
    # A page's own metadata has to come first.
    matter = _FRONT_MATTER.match(text)
    return matter[0] + _NOTICE + text[matter.end() :] if matter else _NOTICE + text


def _with_block(name: str, text: str, block: str, content: str) -> str:
    """Return the text with what stands between the two lines of a block replaced."""
    lines = rf"(^ *(?:<!--|#) generated: {block}\b.*\n)(?s:.*?)(^ *(?:<!--|#) end of generated)"
    text, found = re.subn(lines, lambda match: match[1] + content + match[2], text, flags=re.MULTILINE)
    if found != 1:
        raise PlumblineError(
            f"{name} has lost its generated block `{block}`",
            hint=f"restore the lines `generated: {block}` and `end of generated`: git diff {name}",
        )
    return text


def _differences() -> Iterator[str]:
    for path, text in wanted().items():
        there = _read(path)
        if there is None:
            yield f"{_name(path)}: missing"
        elif there != text:
            yield f"{_name(path)}: {_first_difference(there, text)}"


def _first_difference(there: str, text: str) -> str:
    lines, others = there.splitlines(), text.splitlines()
    for number, (line, other) in enumerate(zip(lines, others, strict=False), start=1):
        if line != other:
            return f"differs from line {number} on\n      there: {line}\n     should: {other}"
    return f"has {len(lines)} lines and should have {len(others)}"


def _strays() -> list[Path]:
    known = {GENERATED / name for name in (*PAGES, *FILES)}
    return sorted(path for path in GENERATED.rglob("*") if path.is_file() and path not in known)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
