"""The list of codes, compared with the refusals of the services and of Caddy."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from servicekit.codes import Code

ROOT = Path(__file__).parents[3]
PACKAGES = ("servicekit/servicekit", "backend/backend", "data-processor/data_processor", "log-sink/log_sink")
LIST = ROOT / "services/servicekit/servicekit/codes.py"
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / "services" / package).rglob("*.py")) if path != LIST]
CADDY = re.findall(r'"status":(\S+?),"code":"(\w+)"', (ROOT / "docker/caddy/Caddyfile").read_text(encoding="utf-8"))
REFUSES = {"problem", "problem_response", "ProblemError", "ForbiddenError", "NotFoundError", "ConflictError"}
REFUSES |= {"BadFrameError"}


def _literal_codes(tree: ast.AST) -> Iterator[str]:
    """Yield each code that is written as text: as the first argument of a refusal, or as `code=` of an error."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = node.args[:1] if name in REFUSES else []
            given += [one.value for one in node.keywords if one.arg == "code" and name.endswith("Error")]
            yield from (one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str))


def test_services_take_every_code_from_the_list() -> None:
    # mypy checks the same in the backend and the log-sink, and `problem` refuses codes that are not listed.
    found = {path.name: list(_literal_codes(ast.parse(path.read_text(encoding="utf-8")))) for path in SOURCES}
    assert {name: codes for name, codes in found.items() if codes} == {}


def test_caddy_refuses_only_with_listed_codes() -> None:
    assert CADDY
    assert {code for _, code in CADDY} <= set(Code)


def test_every_listed_code_is_used() -> None:
    used = {name for path in SOURCES for name in re.findall(r"\bCode\.([A-Z_]+)", path.read_text(encoding="utf-8"))}
    assert set(Code.__members__) - used - {Code(code).name for _, code in CADDY} == set()


def test_every_code_is_described() -> None:
    for code in Code:
        assert code.name == code.value.upper()
        assert code.meaning.endswith(".")
