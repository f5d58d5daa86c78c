"""Checks that need no running stack: of the docs, and of the manifests and the Compose file."""

from __future__ import annotations

from collections.abc import Collection

from plumbline.verification.faults.judge import Outcome
from plumbline.verification.faults.product import Product

DOCS, SITE, MANIFESTS = "docs", "docs: site", "manifests"
_TESTS = "plumbline/tests/verification/docs"


def outcome(product: Product, area: str, wanted: Collection[str]) -> Outcome:
    """Make the checks of `docs` or `manifests` on the files of a checkout; the slow one only if it is wanted."""
    if area == MANIFESTS:
        return _manifests(product)
    made = {DOCS: product.command("plumbline.verification.docs", "--check")}
    if SITE in wanted:
        made[SITE] = product.command("mkdocs", "build", "--strict")
    for name in wanted:
        if name.startswith(f"{DOCS}: test_"):
            file = name.removeprefix(f"{DOCS}: ")
            made[name] = product.command("pytest", "-q", "-p", "no:cacheprovider", f"{_TESTS}/{file}")
    return Outcome(
        {name for name, done in made.items() if done.returncode == 0},
        {name: done.stdout for name, done in made.items() if done.returncode != 0},
    )


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
