"""Numbers of the product, and where each is written, to compare pages with."""

from __future__ import annotations

import ast
import operator
import re
from typing import Any, NamedTuple

from plumbline import ROOT

WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
NUMBER = rf"(?:\d[\d,.]*\d|\d|half an?|an?|{'|'.join(WORDS)})"
_OPERATORS = {ast.Mult: operator.mul, ast.Pow: operator.pow, ast.LShift: operator.lshift, ast.Add: operator.add}


class Value(NamedTuple):
    """A number of the product, and where it is written."""

    number: Any
    where: str

    def per(self, unit: float) -> Value:
        """Return it in another unit."""
        quotient = self.number / unit
        return Value(int(quotient) if quotient == int(quotient) else quotient, self.where)

    @property
    def spellings(self) -> set[str]:
        """Return the ways to write it: as digits, and as a word if it is small."""
        number = int(self.number) if self.number == int(self.number) else self.number
        others = {0.5: ("half a", "half an"), 1: ("a", "an")}.get(number, ())
        return {f"{number:,}", str(number), *others, *(WORDS[number : number + 1] if isinstance(number, int) else ())}


def pattern(words: str) -> re.Pattern[str]:
    """Return the pattern of words in which `{}` stands for a number."""
    return re.compile(f"({NUMBER})".join(map(re.escape, words.split("{}"))))


def of(number: float, where: str) -> Value:
    """Return a number that this test imports."""
    return Value(number, where)


def setting(part: str, variable: str) -> Value:
    """Return the default of a setting, as the generated page has it."""
    page = (ROOT / "docs/generated/defaults.md").read_text()
    for section in page.split("\n### ")[1:]:
        parts, _, table = section.partition("\n")
        found = re.search(rf"^\| `{variable}` \|[^|]*\| `([^`|]*)` \|", table, re.MULTILINE)
        if part in parts.split(", ") and found:
            number = re.sub(r"[a-z]+$", "", found[1])
            return Value(float(number) if "." in number else int(number), f"{variable} of {part}")
    raise LookupError(f"docs/generated/defaults.md has no {variable} of {part}")


def constant(file: str, name: str) -> Value:
    """Return a constant of a module, without importing it: pages are about services, too."""
    for node in ast.parse((ROOT / file).read_text()).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(one, ast.Name) and one.id == name for one in targets):
            return Value(_evaluate(node.value), f"{name} in {file}")
    raise LookupError(f"{file} has no constant {name}")


def _evaluate(node: Any) -> Any:
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
    return ast.literal_eval(node)


def written(file: str, pattern: str) -> Value:
    """Return the number that a file has in one place."""
    found = re.findall(pattern, (ROOT / file).read_text())
    if len({*found}) != 1:
        raise LookupError(f"{file} has {pattern!r} {len(found)} times with different numbers: {found}")
    return Value(float(found[0]) if "." in found[0] else int(found[0]), file)
