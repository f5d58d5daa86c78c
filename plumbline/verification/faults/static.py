"""Checks that need no running stack: of the docs, and of the manifests and the Compose file."""

from __future__ import annotations

from collections.abc import Collection
from xml.etree import ElementTree

from plumbline.verification.faults.judge import Outcome
from plumbline.verification.faults.product import Product

DOCS, SITE, MANIFESTS = "docs", "docs: site", "manifests"
PAGES = "plumbline/tests/verification/docs/pages"
"""The checks of what people write on pages. Each file is one check, such as `docs: test_numbers.py`."""


def outcome(product: Product, area: str, wanted: Collection[str]) -> Outcome:
    """Make the checks of `docs` or `manifests` on the files of a checkout; the slow one only if it is wanted."""
    if area == MANIFESTS:
        return _manifests(product)
    found = _pages(product)
    made = {DOCS: product.command("plumbline.verification.docs", "--check")}
    if SITE in wanted:
        made[SITE] = product.command("mkdocs", "build", "--strict")
    for name, done in made.items():
        if done.returncode == 0:
            found.passed.add(name)
        else:
            found.failed[name] = done.stdout
    return found


def _pages(product: Product) -> Outcome:
    report = product.checkout / "pages.xml"
    done = product.command("pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", PAGES)
    found = Outcome()
    if done.returncode not in (0, 1):
        return Outcome(failed={f"{DOCS}: pages": done.stdout})
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  written by the line above
        name = f"{DOCS}: {case.attrib['classname'].rpartition('.')[2]}.py"
        failure = case.find("failure")
        if failure is None:
            found.passed.add(name)
        else:
            found.failed[name] = f"{found.failed.get(name, '')}{failure.attrib['message']}\n"
    found.passed -= found.failed.keys()
    return found


def _manifests(product: Product) -> Outcome:
    done = product.command("plumbline.verification.manifests", "production")
    if done.returncode == 0:
        return Outcome({MANIFESTS})
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        if line.startswith("  - "):
            name, _, problem = line.removeprefix("  - ").partition(": ")
            found[f"{MANIFESTS}: {name}"] = f"{found.get(f'{MANIFESTS}: {name}', '')}{problem}\n"
    return Outcome(failed=found or {MANIFESTS: done.stdout})
