"""Which release a stack was on before, and the way of this checkout back to it."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress
from dataclasses import dataclass

from plumbline.backups import revisions
from plumbline.checkout import Checkout
from plumbline.components import MIGRATING
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.releases import changelog

_KEPT = 10
_SHOWN = 12
"""Characters of a commit in a sentence."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A release that the stack was on. Either may be "": not recorded, or not from git."""

    version: str
    commit: str

    def __str__(self) -> str:
        commit = f" (commit {self.commit[:_SHOWN]})" if self.commit else ""
        return f"release {self.version}{commit}" if self.version else "the release before"


def before(earlier: list[dict[str, str]], deployed: dict[str, str], release: dict[str, str]) -> list[dict[str, str]]:
    """Return the releases before `release`, which is ready now, oldest first: going back to one forgets later ones."""
    chain = [*earlier, deployed] if deployed else earlier
    commits = [one.get("commit") for one in chain]
    if release["commit"] in commits:
        chain = chain[: commits.index(release["commit"])]
    return chain[-_KEPT:]


def last(home: Home) -> Earlier | None:
    """Return the release that the stack was on before the present one; None if that is not recorded."""
    found = home.load().earlier
    return Earlier(found[-1].get("version", ""), found[-1].get("commit", "")) if found else None


def with_schema(wanted: dict[str, str], checkout: Checkout) -> Earlier:
    """Return the newest release of the changelog with this schema, for stacks that did not record their release."""
    with suppress(OSError, PlumblineError):
        for release in changelog.releases(changelog.read(checkout.root)):
            if _revisions_at(release.commit, checkout) == wanted:
                return Earlier(release.version, release.commit)
    return Earlier("", "")


def _revisions_at(commit: str, checkout: Checkout) -> dict[str, str]:
    """Return the newest revision of each chain in a commit; empty if the commit is not there."""
    try:
        return {name: max(_names(commit, name, checkout), default="") for name in MIGRATING}
    except PlumblineError:
        return {}


def _names(commit: str, name: str, checkout: Checkout) -> list[str]:
    listed = checkout.git("ls-tree", "--name-only", f"{commit}:{revisions.folder(name).as_posix()}")
    return [found[1] for line in listed.splitlines() if (found := revisions.FILE.fullmatch(line))]


@dataclass(frozen=True, slots=True)
class Way:
    """The way of a checkout to an earlier release; `obstacle` says why it cannot go there by itself."""

    to: Earlier
    checkout: Checkout
    obstacle: str

    @staticmethod
    def found(to: Earlier, schema: dict[str, str], home: Home, checkout: Checkout | None = None) -> Way:
        """Return the way to a release on a database with this schema."""
        checkout = checkout or Checkout()
        if home.bundle.exists():
            return Way(to, checkout, "the stack came in a bundle: load that of the earlier release")
        return Way(to, checkout, _obstacle(to, schema, checkout))

    def announced(self) -> str:
        """Return what will be done with the checkout."""
        if self.obstacle:
            return f"This folder stays as it is, because {self.obstacle}. The commands are printed at the end."
        return f"Then `git checkout` takes {self.checkout.root} to that commit, and its ./deploy-local.sh starts it."

    def commands(self, home: Home) -> list[str]:
        """Return the commands that start the earlier release."""
        if home.bundle.exists():
            return [f"./deploy-local.sh bundle load ARCHIVE --home {shlex.quote(str(home.root))}"]
        return [f"git checkout {self.to.commit or 'EARLIER_RELEASE'}", home.with_home_option("./deploy-local.sh")]

    def go(self, home: Home) -> None:
        """Check the release out, and become its `./deploy-local.sh`; or print the commands. Raises PlumblineError."""
        if self.obstacle:
            print("Start that release now:")
            print("\n".join(f"  {one}" for one in self.commands(home)))
            return
        here = self.checkout.branch() or self.checkout.head()
        try:
            self.checkout.git("checkout", "--quiet", "--detach", self.to.commit)
        except PlumblineError as error:
            raise PlumblineError(str(error), hint=" && ".join(self.commands(home))) from None
        forward = home.with_home_option("./deploy-local.sh")
        print(f"{self.checkout.root} is at {self.to} now. Forward again: git checkout {here} && {forward}", flush=True)
        script = self.checkout.root / "deploy-local.sh"
        os.execv(script, [str(script), "up", "--home", str(home.root)])  # noqa: S606  a script of the checkout


def _obstacle(to: Earlier, schema: dict[str, str], checkout: Checkout) -> str:
    if not to.commit:
        return "the commit of that release is not recorded"
    try:
        top = checkout.git("rev-parse", "--show-toplevel")
        changes = checkout.git("status", "--porcelain", "--untracked-files=no")
    except PlumblineError:
        return "it is no git checkout, or git is not installed"
    if top != str(checkout.root):
        return f"it is a part of another git checkout, {top}"
    if changes:
        first = re.sub(r"^..\s*", "", changes.splitlines()[0])
        return f"it has changes that are not committed ({first})"
    there = _revisions_at(to.commit, checkout)
    if not there:
        return f"the commit {to.commit[:_SHOWN]} is not in this clone: git fetch --unshallow"
    if there != schema:
        return f"the commit {to.commit[:_SHOWN]} needs another schema: {revisions.named(there)}"
    return ""
