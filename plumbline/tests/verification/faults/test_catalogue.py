"""The catalogue: every fault can be made in this checkout, and names checks that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.verification.faults import areas as catalogue
from plumbline.verification.faults import static
from plumbline.verification.faults.areas import areas
from plumbline.verification.faults.fault import CatalogueError, Fault, Patch
from plumbline.verification.faults.product import Product
from plumbline.verification.manifests.checks import CHECKS

FAULTS = [fault for area in areas() for fault in area.faults]
NAMES = {"Caddy", "Compose", "JPEG", "PDFs", "Postgres", "README", "Redis", "TIFF", "WebP"}
BESIDE = {"start", "up", "the stack", "left behind", "docs", "docs: site", *(f"manifests: {name}" for name in CHECKS)}
"""What a fault may name that is no check of the suites."""


def test_there_are_faults_enough_in_every_area() -> None:
    assert len(FAULTS) >= 150
    assert all(area.faults for area in areas())


def test_every_fault_can_be_made_here() -> None:
    assert catalogue.problems() == []


def test_a_patch_that_no_longer_applies_is_named(tmp_path: Path) -> None:
    patch = Patch("README.md", "words that are in no README of this project", "others")
    with pytest.raises(CatalogueError, match=r"README\.md holds the text to replace 0 times, not once"):
        patch.check()
    with pytest.raises(CatalogueError, match=r"README\.md holds the text to replace \d+ times, not once"):
        Patch("README.md", "the", "a").check()


def test_a_patch_that_changes_nothing_is_refused() -> None:
    with pytest.raises(CatalogueError, match="changes nothing"):
        Patch("README.md", "# Plumbline\n", "# Plumbline\n").check()


def test_a_patch_that_is_no_program_is_refused() -> None:
    with pytest.raises(CatalogueError, match=r"plumbline/errors\.py is no Python"):
        Patch("plumbline/errors.py", "from __future__ import annotations", "from import").check()


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in FAULTS])
def test_the_checks_of_a_fault_are_there(fault: Fault) -> None:
    assert fault.red, "no check has to see it"
    assert fault.what[0].islower() or fault.what.split()[0].removesuffix("'s") in NAMES, "not a part of a sentence"
    for check, phrase in fault.red.items():
        assert phrase
        if check in BESIDE:
            continue
        if check.startswith("docs: test_"):
            assert (ROOT / static.PAGES / check.removeprefix("docs: ")).exists()
            continue
        file, _, name = check.partition("::")
        text = (ROOT / "tests" / file).read_text()
        assert re.search(rf"^def {re.escape(name.partition('[')[0])}\(", text, re.MULTILINE), f"there is no {check}"


def test_a_fault_is_put_into_the_copy_and_taken_out_again() -> None:
    product = Product(with_stack=False)
    try:
        for fault in (one for one in FAULTS if isinstance(one.how, Patch)):
            assert isinstance(fault.how, Patch)
            original = (ROOT / fault.how.file).read_text()
            product.change_to(fault)
            assert (product.checkout / fault.how.file).read_text() != original, fault.name
            assert (ROOT / fault.how.file).read_text() == original
            product.change_to(None)
            assert (product.checkout / fault.how.file).read_text() == original, fault.name
    finally:
        product.remove()
