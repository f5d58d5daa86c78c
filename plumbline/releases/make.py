"""Makes a release: dates its section of the changelog, sets the version, commits, and tags the commit.

A second commit records the first one's hash in the changelog, and begins the next version.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from plumbline.checkout import Checkout
from plumbline.errors import PlumblineError
from plumbline.releases import changelog

VERSION_IN = {
    "services/servicekit/servicekit/facts.py": 'VERSION = "{}"',
    "pyproject.toml": '\nversion = "{}"\n',
}
"""Files that have the version of the checkout, and how they write it."""
RELEASE_IN = {
    "k8s/overlays/production/kustomization.yaml": "newTag: {}}}",
    "docs/kubernetes.md": "PLUMBLINE_TAG={0} PLUMBLINE_VERSION={0}\n",
}
"""Files that name the newest release as an example."""


def make(root: Path, version: str, now: str, today: date, write_pages: Callable[[], None]) -> str:
    """Make release `version` of a checkout whose version is `now`; return what to do next. Raises PlumblineError.

    `write_pages` writes the generated pages again. If anything fails, everything is as before.
    """
    checkout = Checkout(root)
    text = changelog.read(root)
    before = changelog.releases(text)[0]
    if refused := list(_problems(checkout, text, before, version, today)):
        raise PlumblineError("\n".join([f"{version} was not released:", *(f"  - {one}" for one in refused)]))
    start, tag = checkout.head(), f"v{version}"
    try:
        _write(checkout, changelog.FILE, changelog.dated(text, version, today))
        for name, pattern in RELEASE_IN.items():
            _replace(checkout, name, pattern, before.version, version)
        _commit(checkout, now, version, write_pages, f"Release {version}")
        released = checkout.head()
        checkout.git("tag", "--annotate", tag, "--message", f"Plumbline {version}")
        _write(checkout, changelog.FILE, changelog.recorded(changelog.read(root), version, released))
        _commit(checkout, version, changelog.in_development(version), write_pages, f"Begin the version after {version}")
    except BaseException:
        # The tree was clean, so this undoes nothing of others.
        checkout.git("reset", "--quiet", "--hard", start)
        if checkout.git("tag", "--list", tag):
            checkout.git("tag", "--delete", tag)
        raise
    return (
        f"Released {version} as {released}, tag {tag}. Nothing was pushed.\n"
        f"Next: check it (.venv-nox/bin/nox), then git push --atomic origin {checkout.branch()} {tag}\n"
        f"To take it back before that: git tag --delete {tag} && git reset --hard {start}"
    )


def _commit(checkout: Checkout, old: str, new: str, write_pages: Callable[[], None], subject: str) -> None:
    for name, pattern in VERSION_IN.items():
        _replace(checkout, name, pattern, old, new)
    write_pages()
    checkout.git("commit", "--quiet", "--all", "--message", subject)


def _write(checkout: Checkout, name: str, text: str) -> None:
    (checkout.root / name).write_text(text, encoding="utf-8")


def _replace(checkout: Checkout, name: str, pattern: str, old: str, new: str) -> None:
    text = (checkout.root / name).read_text(encoding="utf-8")
    if pattern.format(old) not in text:
        raise PlumblineError(f"{name} does not have `{pattern.format(old).strip()}`", hint=f"git log -p {name}")
    _write(checkout, name, text.replace(pattern.format(old), pattern.format(new)))


def _problems(checkout: Checkout, text: str, before: changelog.Release, version: str, today: date) -> Iterator[str]:
    """Yield every reason not to make the release."""
    if version not in (following := changelog.successors(before.version)):
        yield f"it does not follow {before.version}: the next is {', '.join(following[:-1])} or {following[-1]}"
    if not changelog.unreleased(text):
        yield f"{changelog.FILE} has no entry under `{changelog.UNRELEASED}`: say what users notice"
    if today < before.date:
        yield f"today ({today}) is before the date of {before.version} ({before.date}): check this machine's clock"
    if not checkout.branch():
        yield "no branch is checked out: git switch main"
    if changed := checkout.changes():
        yield f"the checkout has changes that are not committed:\n{textwrap.indent(changed, '      ')}"
    if checkout.git("tag", "--list", f"v{version}"):
        yield f"the tag v{version} exists: git show v{version}"
