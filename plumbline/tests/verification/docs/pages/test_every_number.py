"""Every number on a page is compared with the product, or it stands here with the reason why it is not.

A number is one in digits, or a word before what it counts, such as `five seconds` or `an hour`. What was measured on
one day stands between `<!-- measured -->` and `<!-- end of measured -->`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from . import rows, text
from .test_examples import ANSWER, STATUSES
from .test_numbers import ROWS
from .values import WORDS, pattern

_COUNTED = (
    "seconds|minutes|hours|days|weeks|times|[KMGT]i?B|kB|%|percent|characters|pixels|megapixels|pages|processes|threads|"
    "connections|entries|lines|points|regions|events|documents|failures|registrations|logins|sockets|users|pods|"
    "replicas|columns|files|bytes|million|processors|cores|images|releases|checks"
)
_NUMBER = re.compile(
    rf"(?<![\w/.#-])\d[\d,.]*(?<![,.])(?![\w/-])|(?<![\w-])(?:{'|'.join(WORDS[2:])})(?= (?:{_COUNTED})\b)"
    r"|(?:half )?\ban? (?:second|minute|hour|day|week)\b|\btwice\b"
)
_CODE = re.compile(r"(`+).+?\1")
_HIDDEN = re.compile(r"<!-- (generated|measured)\b.*?<!-- end of \1 -->|<!--.*?-->", re.DOTALL)
_IN_A_LIST = re.compile(r"^[ >]*\d+\. ", re.MULTILINE)
ELSEWHERE = {
    r"(?:ISO|RFC) \d+": "a standard",
    r"127\.0\.0\.1": "loopback",
    r"exit code \d+": "test_names.py",
    r"\b\d{3}[,:]? `\w+`": "test_names.py: a status with its code",
    r"\| \d{3}(?:, \d{3})* \|": "test_examples.py: the table of statuses",
    r"\| [\w-]+ \| \d+ \| \d+m \|[^|]*\|[^|]*\|[^|]*\|": "manifests/test_page.py: the sizing table",
    r"Together [\d.]+ processors": "manifests/test_page.py",
    r"a rollout has two pods|\d+ in all with two pods each, \d+ with autoscaling": "manifests/test_page.py",
    ANSWER.pattern: "test_examples.py: the statuses of calls",
}
"""What numbers stand in, and which test compares them, or what they are."""
TOLD: dict[str, tuple[str, ...]] = {
    "CONTRIBUTING.md": ("at most 72 characters", "a second commit"),
    "README.md": (
        "a minute or two", "about ten seconds after that", "about twenty minutes on two cores", "takes ten minutes",
    ),
    "docs/backup.md": ("makes a backup every six hours",),
    "SECURITY.md": ("within a week",),
    "docs/benchmarks.md": (
        "applied in a second", "values a second", "at least 1.7 times as many", "on two free cores",
        "in a database with 1,000 and with 1,000,000 other values",
    ),
    "docs/calls.md": (
        "integers up to 2⁶³−1", "no answer, or 503,", "photo of 48 megapixels, or A3 scanned at 600 dpi",
        "of a page, from 1.", "(0 to 1; 1 for a text layer)", "(from 0, in", "relative to its page (0 to 1)",
        "it is refused (409, `too_much_at_once`)", "wice a second", "most two a second", "nothing twice",
    ),
    "docs/containers.md": ("(a minute)", "(half a minute)", "readable by all (0444)", "its owner can enter (0700)"),
    "docs/how-to/connect.md": ("Node.js 22 or newer",),
    "docs/index.md": ("in ten minutes",),
    "docs/kubernetes.md": (
        "Kubernetes 1.33 with", "(version 16)", "about 5 MB per connection", "plus 50 %.", "within 15 seconds",
        "about twice the work", "after a second, so", "limit of a minute", "an hour or a day", "from before 0.1.0",
        "about 15 seconds later", "A node with two processors and 4 GiB", "requests 0.92 processors and 2896 MiB",
        "after 40 to 50 seconds by default", "After five minutes, Kubernetes",
        "may take a second", "need 3.94 processors and 4640 MiB",
    ),
    "docs/one-machine.md": ("use about 400 MiB", "| 10 to 15 seconds |", "about ten seconds;", "within 15 |"),
    "docs/operation.md": ("a minute or two",),
    "docs/recorder.md": ("errors in a second", "counted twice", "about a second to", "a status of 500 or more",),
    "docs/report.md": ("The other two files",),
    "docs/security.md": (
        "earlier, within five seconds", "is then refused (503)", "user 7 there", "than user 7 here",
        "as WebP 1.3 GB, as other types up to 0.7 GB", "upload: 25 MiB take 27 minutes",
    ),
    "docs/troubleshooting.md": (
        "within a minute", "502 or 504 from", "502 or 504 for", "*it ended 5 times in 5 minutes*",
    ),
    "docs/tutorial.md": ("In ten minutes", "a minute or two"),
}  # fmt: skip
"""Page to words with numbers that no test compares: measured once, aims, examples, or sums of others."""


@cache
def _said(page: Path) -> str:
    """Return the text of a page that people wrote, without code, as one line."""
    said = text.without_code(_HIDDEN.sub("", page.read_text()))
    return " ".join(_IN_A_LIST.sub("", said).split())


def _accounted_for(page: Path) -> Iterator[tuple[int, int]]:
    """Yield the places of a page about whose numbers something is known."""
    name, said = text.name(page), _said(page)
    for words in [row[1] for row in ROWS if row[0] == name]:
        found = pattern(words).search(said)
        yield from (found.span(group) for group in range(1, found.re.groups + 1)) if found else ()
    statuses = [re.escape(words).replace(r"\{\}", r"\d{3}") for place, words, *_ in STATUSES if f"docs/{place}" == name]
    for known in (*rows.SAID.values(), *ELSEWHERE, *statuses, _CODE.pattern, *map(re.escape, TOLD.get(name, ()))):
        yield from (found.span() for found in re.finditer(known, said))


@pytest.mark.parametrize("page", [pytest.param(page, id=text.name(page)) for page in text.PAGES])
def test_a_number_is_compared_or_told_from_those_that_are(page: Path) -> None:
    said = _said(page)
    known = {place for start, end in _accounted_for(page) for place in range(start, end)}
    wrong = [
        f"…{said[max(0, found.start() - 50) : found.end() + 30]}…"
        for found in _NUMBER.finditer(said)
        if known.isdisjoint(range(*found.span()))
    ]
    assert not wrong, (
        f"{text.name(page)} has numbers that nothing compares with the product: {wrong}. Add a row to rows.py; or, if "
        "the product has no such number, to TOLD here"
    )


@pytest.mark.parametrize("page", TOLD)
def test_what_is_told_is_still_on_the_page(page: str) -> None:
    gone = [words for words in TOLD[page] if words not in _said(rows.ROOT / page)]
    assert not gone, f"{page} no longer says {gone}: remove it from TOLD"
