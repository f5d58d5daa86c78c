"""Settings, files, routes, codes and other names on pages exist, and example files are accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from plumbline import ROOT, environment, home_files
from plumbline.components import IMAGES
from plumbline.settings import resolve
from plumbline.verification.docs.commands import commands

from . import text
from .test_commands import sessions

_SETTING = re.compile(r"\bPLUMBLINE_[A-Z0-9_]*[A-Z0-9]\b")
_PARTS = ("BACKEND", "DATA_PROCESSOR", "LOG_SINK", "CADDY")
_IN_HOME = re.compile(
    r"^(?:\.plumbline/)?((?:secrets|logs|run|data|diagnostics)/[\w./*-]*|state\.\w[\w.]*|settings\.env)$"
)
_IN_CHECKOUT = re.compile(
    r"^(?:docker|docs|k8s|plumbline|services|tests|requirements|benchmarks|base|components|overlays)(?:/[\w.*-]+)+/?$"
)
_ROUTE = re.compile(r"^(?:(GET|POST|PUT|PATCH|DELETE) )(?:…?/|(?=[a-z]+/))([^\s?]*)|^/([a-z][^\s?]*)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
_ENVIRONMENT = re.compile(r"^\.nox/(\w+)/")
_CODE = re.compile(r"\b(\d{3})[,:]? `(\w+)`")
_EXIT = re.compile(r"exit code (\d+)")
_NAME = re.compile(r"[A-Za-z]+(?:[_-][A-Za-z0-9]+)+")
_SOURCES = (
    "plumbline",
    "services",
    "docker",
    "k8s",
    "benchmarks",
    "noxfile.py",
    "deploy-local.sh",
    "pyproject.toml",
    "docs/examples",
)
_READ = {".py", ".sh", ".toml", ".yaml", ".yml", ".env", ".conf", ".lua", ".js", ".html", ".txt", ""}
_RARE = frozenset({"up", "bundle", "secrets"})
"""Commands that other pages describe."""
_IMAGE = re.compile(r"\bplumbline/([a-z-]+):")
_RESOURCE = re.compile(r"\b(deployment|job|statefulset|service)/([a-z][a-z-]*)\b")
_SQL = re.compile(r"(?:UPDATE (\w+) SET (\w+) = \w+ WHERE (\w+)|\bSELECT [^\n]* FROM (\w+))")
_PIECES = re.compile(r"\"\s*\n\s*f?\"|\{[^{}]*\}")
"""What stands between the words of a message in a source file: the seams of long strings, and values."""
_OTHERS = frozenset({"Can't locate revision", "Cannot connect to the Docker daemon"})
"""Messages of Alembic and of Docker."""
_OF_A_MACHINE = ("/root", "/var/", "/tmp")
_SHARED = "/data-processor/"
"""The beginning of many paths."""
_TAKEN = frozenset({"--cacert"})
"""Options of programs that are not ours."""
_MADE = frozenset({"docker/.env"})
"""Files that a command writes."""
_FOREIGN = frozenset(
    {
        "data-postgres-0",
        "docker-registry",
        "edit-last-applied",
        "kind-dev",
        "part_of_a_name",
        "pre-commit-config",
        "venv-client",
    }
)
"""Names of other projects and placeholders, which our sources need not contain."""


def _all_spans() -> Iterator[tuple[str, str]]:
    for page in text.PAGES:
        yield from text.spans(page)


SPANS = list(_all_spans())


@cache
def _sources() -> str:
    found = []
    for top in _SOURCES:
        path = ROOT / top
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in _READ and "tests" not in file.parts and "faults" not in file.parts:
                found += [file.read_text(errors="replace")]
    return "\n".join(found)


@cache
def _known_settings() -> frozenset[str]:
    listed = set(_SETTING.findall((ROOT / "docs/generated/defaults.md").read_text()))
    of_parts = {name.replace("PLUMBLINE_", f"PLUMBLINE_{part}_", 1) for name in listed for part in _PARTS}
    in_compose = set(_SETTING.findall((ROOT / "docker/compose.yaml").read_text()))
    return frozenset(listed | of_parts | in_compose)


def _is_setting(name: str) -> bool:
    own = (ROOT / "plumbline").rglob("*.py")
    return name in _known_settings() or (
        bool(environment._HARNESS_VARIABLES.fullmatch(name)) and any(name in file.read_text() for file in own)
    )


def test_every_setting_on_a_page_exists() -> None:
    wrong = [
        f"{text.name(page)}:{text.line_of(page.read_text(), found.start())}: {found[0]}"
        for page in text.PAGES
        for found in _SETTING.finditer(text.without_patches(page))
        if not _is_setting(found[0])
    ]
    assert not wrong, f"no component and no command reads {wrong}; docs/generated/defaults.md lists all settings"


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=text.name(page)) for page in text.PAGES if "```ini" in page.read_text()]
)
def test_every_example_of_settings_is_accepted(page: Path, tmp_path: Path) -> None:
    for block in re.findall(r"```ini\n(.*?)```", page.read_text(), re.DOTALL):
        file = tmp_path / "settings.env"
        file.write_text(block)
        problems = resolve.wanted(file).problems
        assert not problems, f"{text.name(page)} shows settings that `up` refuses: {'; '.join(map(str, problems))}"


def _in_tree(path: str) -> bool:
    tree: home_files.Tree | None = {**home_files.HOME, **home_files.STATE, home_files.SETTINGS: None}
    parts = path.strip("/").split("/")
    for part in parts:
        if tree is None:
            return parts[-1] in _sources()
        known, tree = home_files._find(part.replace("NAME", "backend").replace("…", "backend"), tree)
        if not known:
            return False
    return True


def test_every_file_of_a_home_on_a_page_exists() -> None:
    wrong = [f"{where}: {said}" for where, said in SPANS if (found := _IN_HOME.match(said)) and not _in_tree(found[1])]
    assert not wrong, f"a home has no such file: {wrong}; plumbline/home_files.py lists its files"


def test_every_file_of_the_checkout_on_a_page_exists() -> None:
    wrong = []
    for where, said in SPANS:
        if not _IN_CHECKOUT.match(said) or said in _MADE or said.removeprefix("plumbline/") in IMAGES:
            continue
        if not any(any(folder.glob(said)) for folder in (ROOT, ROOT / "k8s")):
            wrong.append(f"{where}: {said}")
    assert not wrong, f"the checkout has no such file: {wrong}"


@cache
def _routes() -> frozenset[tuple[str, str]]:
    page = (ROOT / "docs/generated/routes.md").read_text()
    found = re.findall(r"^\| `?(\w+)`? \| `([^`]+)`", page, re.MULTILINE)
    return frozenset((method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in found)


def _is_call(method: str | None, path: str) -> bool:
    """Return whether a route has this path, or ends with it, as pages shorten it; and this method if one is named."""
    ending = "/" + re.sub(r"\{[^}]*\}", "{}", path.rstrip("…"))
    return any(method in (None, one) and known.endswith(ending) for one, known in _routes())


def test_every_call_on_a_page_exists() -> None:
    wrong = []
    for where, said in SPANS:
        found = _ROUTE.match(said)
        if said.startswith(_OF_A_MACHINE) or said == _SHARED:
            continue
        if found and not _is_call(found[1], found[2] or found[3] or ""):
            wrong.append(f"{where}: {said}")
    assert not wrong, f"no service answers {wrong}; docs/generated/routes.md lists all routes"


def test_every_option_on_a_page_is_one_of_the_sources() -> None:
    """Also without its command, which test_commands.py gives to the real command line."""
    known = set(_OPTION.findall(_sources() + "".join(file.read_text() for file in (ROOT / "tests").rglob("*.py"))))
    wrong = [f"{where}: {one}" for where, said in SPANS for one in _OPTION.findall(said) if one not in known | _TAKEN]
    assert not wrong, f"nothing takes {wrong}"


def test_every_environment_on_a_page_is_that_of_a_session() -> None:
    wrong = [f"{where}: {said}" for where, said in SPANS if (e := _ENVIRONMENT.match(said)) and e[1] not in sessions()]
    assert not wrong, f"noxfile.py has no such sessions: {wrong}"


def test_every_code_on_a_page_has_its_status() -> None:
    codes = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (ROOT / "docs/generated/codes.md").read_text(), re.MULTILINE))
    wrong = []
    for page in text.PAGES:
        for found in _CODE.finditer(page.read_text()):
            status = codes.get(found[2], "no status: there is no such code")
            if found[1] not in status:
                where = f"{text.name(page)}:{text.line_of(page.read_text(), found.start())}"
                wrong.append(f"{where} says {found[0]}; expected {status}")
    assert not wrong, "; ".join(wrong)


def test_every_exit_code_on_a_page_exists() -> None:
    known = set(re.findall(r"^\| `(\d+)` \|", (ROOT / "docs/generated/run-steps.md").read_text(), re.MULTILINE))
    wrong = [
        f"{text.name(page)}:{text.line_of(page.read_text(), found.start())}: {found[1]}"
        for page in text.PAGES
        for found in _EXIT.finditer(page.read_text())
        if found[1] not in known
    ]
    assert not wrong, f"no command ends with {wrong}; expected one of {sorted(known, key=int)}"


def test_the_everyday_commands_are_listed() -> None:
    page = (ROOT / "docs/one-machine.md").read_text()
    table = page.partition("## Everyday commands")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `\./deploy-local\.sh ([\w-]+)", table, re.MULTILINE))
    missing = commands().keys() - listed - _RARE
    assert not missing, f"docs/one-machine.md: expected the commands {sorted(missing)} among the everyday ones"


def test_every_image_and_resource_of_a_cluster_on_a_page_exists() -> None:
    names = {
        document["metadata"]["name"]
        for file in (ROOT / "k8s").rglob("*.yaml")
        for document in yaml.safe_load_all(file.read_text())
        if "metadata" in document
    }
    wrong = []
    for page in text.PAGES:
        said = text.without_patches(page)
        names |= set(re.findall(r"create job (\S+)", said))
        wrong += [f"{text.name(page)}: image plumbline/{one}" for one in _IMAGE.findall(said) if one not in IMAGES]
        wrong += [f"{text.name(page)}: {kind}/{one}" for kind, one in _RESOURCE.findall(said) if one not in names]
    assert not wrong, f"neither docker/compose.yaml nor k8s/ has {wrong}"


def test_every_table_and_column_in_sql_on_a_page_exists() -> None:
    known = set(re.findall(r"`(\w+)`|\b(\w+)\.(\w+)\b", (ROOT / "docs/generated/inventory.md").read_text()))
    names = {name for found in known for name in found}
    wrong = []
    for page in text.PAGES:
        for found in _SQL.finditer(page.read_text()):
            wrong += [f"{text.name(page)}: {name}" for name in found.groups() if name and name not in names]
    assert not wrong, f"the database has no {wrong}; docs/generated/inventory.md lists every column"


def test_the_output_that_readme_shows_is_what_up_prints() -> None:
    block = re.search(r"```text\n(Ready in .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block, "README.md: expected the last lines of `up`, from `Ready in`"
    printed = (ROOT / "plumbline/deploy.py").read_text()
    for label in re.findall(r"^  (\S+(?: \S+)*)  ", block[1], re.MULTILINE):
        assert label in printed, f"README.md shows {label!r}; expected only what plumbline/deploy.py prints"


def test_every_message_on_a_page_is_one_that_we_print() -> None:
    sources = " ".join(_PIECES.sub(" ", _sources()).split())
    page = (ROOT / "docs/troubleshooting.md").read_text()
    wrong = []
    for row in re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE):
        for message in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", row):
            parts = [part.strip(" .") for part in re.split(r"…|\d+|NAME|: |/\S+", message)]
            wrong += [
                f"{message!r} ({part!r})"
                for part in parts
                if len(part) > 3 and part not in sources and part not in _OTHERS
            ]
    assert not wrong, f"docs/troubleshooting.md quotes messages that no source has: {wrong}"


def test_every_name_on_a_page_is_in_the_sources() -> None:
    """Such as names of fields, frames, files, headers and options: what has a `_` or `-` in it and is no prose."""
    sources = _sources()
    wrong = []
    for where, said in SPANS:
        if said.startswith(("http", "plumbline-check-")) or (ROOT / said).exists():
            continue
        names = _NAME.findall(_SETTING.sub("", said))  # settings have a test of their own
        wrong += [f"{where}: {name}" for name in names if name not in sources and name not in _FOREIGN]
    assert not wrong, f"these names are in no source file: {wrong}"
