"""docs/generated/accuracy.md: how well values of documents were read when it was measured last."""

from __future__ import annotations

from plumbline.verification import accuracy

_INTRODUCTION = """\
# Accuracy

How many values are read exactly, of documents whose values are known: invoices, forms, receipts and letters of eight
layouts, as PDFs with a text layer, as filled PDF forms and as scans (200 dpi) that are clean, turned by up to 15°,
shifted, scaled, speckled, blurred, faint or strongly compressed, in PDF, PNG, JPEG, WebP, TIFF and HEIC.
`nox -s accuracy` makes them, sends them to a new stack as a client does, applies to each a template that was made from
another document of its layout, and prints these tables. `nox -s accuracy -- --record` writes the figures of this
page. Seconds depend on the machine and on what else it does; the other figures do not.

- *Exact text* and *exact value*: of the written fields, those whose text or normalised value has no wrong character. A
  table is one field, with all of its cells.
- *Character errors*: the characters that must be changed, added or removed, of all that are written.
- *Wrong but valid*: of the values that were marked `valid`, those that are wrong.
- *Boxes in place*: of the annotations, those whose box shares at least half of its area with the true one (intersection
  over union).
- *Missing named*: required values that a document lacks, and that the answer names. *Malformed invalid*: values
  without the expected format that were marked `invalid`.
- *Own pages doubted*: pages of the template's layout that `needs_review`. *Others refused*: documents of another layout
  that `needs_review`, without a valid value.

The aims are 100 % of text layers and filled forms, 98 % of clean and 90 % of other scans exact, and at most
0.5 % wrong but valid.
"""


def page() -> str:
    """Return the page, with the tables of the record."""
    record = accuracy.load()
    missed = accuracy.missed(record)
    said = f"Not reached: {'; '.join(missed)}." if missed else "All are reached."
    return f"{_INTRODUCTION}{said}\n\n{accuracy.tables(record)}"
