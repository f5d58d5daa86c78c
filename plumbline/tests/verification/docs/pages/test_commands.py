"""Every command that a page quotes is one that the real command line takes."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks_main
from plumbline import ROOT, cli
from plumbline.components import COMPONENTS
from plumbline.releases import __main__ as release_main
from plumbline.verification.cluster import __main__ as cluster_main
from plumbline.verification.docs.commands import commands as commands_of_cli
from plumbline.verification.drills import __main__ as drills_main
from plumbline.verification.faults import __main__ as faults_main
from tests.contract import __main__ as contract_main
from tests.data import __main__ as accuracy_main

PAGES = sorted(
    [*ROOT.glob("*.md"), *(path for path in ROOT.glob("docs/**/*.md") if "decisions" not in path.parts)],
)
_QUOTED = re.compile(r"```(?:sh|bash|console)\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_PROGRAMS = ("./deploy-local.sh", "nox", "python", "python3", "supervisorctl")
_OWN_COMMAND_LINES = {
    "accuracy": accuracy_main.parser,
    "bench": benchmarks_main.parser,
    "cluster": cluster_main.parser,
    "contract": contract_main.parser,
    "drills": drills_main.parser,
    "release": release_main.parser,
    "selfcheck": faults_main.parser,
}
"""Sessions whose arguments are not pytest's."""
_MODULES = {"tests.data": accuracy_main.parser}
"""Modules that pages run."""
_HERE = frozenset({"plumbline", "benchmarks", "tests", "data_processor", "backend", "log_sink"})


def commands(page: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and words of every command of ours on a page."""
    text = page.read_text()
    for quoted in _QUOTED.finditer(text):
        block = (quoted[1] or quoted[2]).replace("\\\n", " ")
        start = text.count("\n", 0, quoted.start()) + (1 if quoted[2] else 2)
        for offset, line in enumerate(block.split("\n")):
            for words in _commands_of(f"./deploy-local.sh {line}" if quoted[2] and _is_rest(line) else line):
                yield start + offset, words


def _is_rest(line: str) -> bool:
    """Return whether a span is a command of ours without its program, such as `backup list`."""
    words = line.split()
    return len(words) > 1 and words[0] in commands_of_cli()


def _commands_of(line: str) -> Iterator[list[str]]:
    with contextlib.suppress(ValueError):  # not shell: an odd quote
        splitter = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        splitter.whitespace_split = True
        words: list[str] = []
        for word in [*splitter, ";"]:
            if word[0] not in "|&;<>()":
                words.append(word)
                continue
            while words and ("=" in words[0] or words[0] in ("sudo", "env")):
                words.pop(0)
            name = words[0].rpartition("/")[2] if words and not words[0].startswith("./") else "".join(words[:1])
            if name in _PROGRAMS:
                yield [name, *words[1:]]
            words = []


QUOTED = [
    pytest.param(words, id=f"{page.relative_to(ROOT)}:{line} {' '.join(words)}"[:120])
    for page in PAGES
    for line, words in commands(page)
]


def sessions() -> set[str]:
    """Return the names of noxfile.py's sessions."""
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("nox.session" in ast.unparse(one) for one in node.decorator_list)
    }


def refused(parse: object, arguments: list[str]) -> str | None:
    """Return what an argparse parser says about the arguments if it refuses them."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            parse(arguments)  # type: ignore[operator]
    except SystemExit as end:
        return said.getvalue().strip() if end.code else None
    return None


def problem(words: list[str], pytest_options: set[str]) -> str | None:
    """Return why a command cannot be given; None if it can."""
    program, *arguments = words
    match program:
        case "./deploy-local.sh":
            given = [COMPONENTS[0] if word == "NAME" else word for word in arguments]
            return refused(cli.parser().parse_args, cli._command_first(given))
        case "nox":
            own, _, rest = " ".join(arguments).partition(" -- ")
            return _problem_of_nox(own.split(), shlex.split(rest), pytest_options)
        case "supervisorctl":
            named = [word for word in arguments[arguments.index("-c") + 2 :] if not word.startswith("$")]
            unknown = [word for word in named[1:] if word not in COMPONENTS]
            return f"no component is called {unknown}" if unknown else None
        case _ if "-m" in arguments:
            module = arguments[arguments.index("-m") + 1]
            if module.partition(".")[0] in _HERE and importlib.util.find_spec(module) is None:
                return f"there is no module {module}"
            if parser := _MODULES.get(module):
                return refused(parser().parse_args, arguments[arguments.index("-m") + 2 :])
    return None


def _problem_of_nox(own: list[str], rest: list[str], pytest_options: set[str]) -> str | None:
    named = [word for word in own if not word.startswith("-")]
    unknown = set(named) - sessions()
    if unknown:
        return f"noxfile.py has no session {sorted(unknown)}"
    if own_parser := _OWN_COMMAND_LINES.get(" ".join(named)):
        return refused(own_parser().parse_args, rest)
    options = {word.partition("=")[0] for word in rest if word.startswith("-")}
    return f"pytest has no option {sorted(options - pytest_options)}" if options - pytest_options else None


@pytest.fixture(scope="module")
def pytest_options(request: pytest.FixtureRequest) -> set[str]:
    """Every option of pytest with the plugins of this checkout."""
    parser = request.config._parser
    return {name for group in (parser._anonymous, *parser._groups) for one in group.options for name in one.names()}


@pytest.mark.parametrize("words", QUOTED)
def test_a_quoted_command_can_be_given(words: list[str], pytest_options: set[str]) -> None:
    found = problem(words, pytest_options)
    assert found is None, f"{' '.join(words)}: {found}"


def test_commands_are_found_on_the_pages() -> None:
    programs = {parameter.values[0][0] for parameter in QUOTED}
    assert programs == set(_PROGRAMS)
    assert len(QUOTED) > 80


@pytest.mark.parametrize(
    "line",
    ["./deploy-local.sh restart", "./deploy-local.sh status --yaml", "./deploy-local.sh logs --component mail-server",
     ".venv-nox/bin/nox -s smok", "nox -s smoke -- --basis-url x", "nox -s bench -- lists --rounds x",
     "nox -s drills -- --pdb", "nox -s selfcheck -- -x", "nox -s release -- --lf", "python -m tests.data --papers 3",
     "supervisorctl -c x restart worker-bee", "python -m plumbline.docs"],
)  # fmt: skip
def test_a_wrong_command_is_noticed(line: str, pytest_options: set[str]) -> None:
    (words,) = _commands_of(line)
    assert problem(words, pytest_options) is not None
