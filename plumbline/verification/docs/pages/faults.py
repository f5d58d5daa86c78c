"""docs/generated/faults.md: every fault that the checks are proven with."""

from __future__ import annotations

from plumbline.verification.docs.markdown import code, codes, sentence, table
from plumbline.verification.faults.areas import areas

_INTRODUCTION = """\
# Faults that the checks must see

`nox -s selfcheck` puts each of these faults, alone, into a stack that is right otherwise, and makes the checks. It
fails if nothing sees a fault, if a check that is not named here goes red, or if a message lacks the words it must have.

"""


def page() -> str:
    """Return a table of the areas, and one for each area."""
    every = list(areas())
    summary = [(area.title, str(len(area.faults))) for area in every]
    summary.append(("all", str(sum(len(area.faults) for area in every))))
    parts = [_INTRODUCTION, table(("area", "faults"), summary)]
    for area in every:
        rows = [(code(one.name), sentence(one.what), codes(one.red)) for one in area.faults]
        title = area.title[:1].upper() + area.title[1:]
        parts.append(f"\n## {title}\n\n" + table(("fault", "what it is", "seen by"), rows))
    return "".join(parts)
