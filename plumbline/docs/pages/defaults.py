"""docs/generated/defaults.md, and the short table of defaults in README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from servicekit import facts as shared

from plumbline import ROOT, preflight, secret_files
from plumbline.docs import facts, words
from plumbline.docs.commands import commands
from plumbline.docs.markdown import code, codes, table
from plumbline.home import DEFAULT_HOME
from plumbline.targets.choose import TARGETS
from plumbline.targets.embedded.programs import CADDYFILE, PORTS

_CADDY_VARIABLE = re.compile(r"\{\$(\w+)(:[^}]*)?\}")

_INTRODUCTION = """\
# Defaults

Nothing has to be set to bring a stack up on one machine. The harness gives every component its addresses, ports and
secret files; all else is as below.

"""


def page() -> str:
    """Return names and limits, ports, secret files, and every setting of the services and of Caddy."""
    return _INTRODUCTION + "\n".join(_parts())


def summary() -> str:
    """Return the few defaults that README.md shows."""
    rows = [
        ("front door", code(f"http://127.0.0.1:{shared.FRONT_PORT}")),
        ("home: state, data, secrets, logs", code(f"{DEFAULT_HOME.relative_to(ROOT)}/")),
        ("Postgres", f"{shared.POSTGRES_MAJOR}, on loopback"),
        ("database, role", codes([shared.DATABASE_NAME, shared.DATABASE_USER])),
        ("recorder", f"Redis stream {code(shared.LOG_STREAM)}, at most {shared.LOG_CAP} entries, nothing on disk"),
        ("levels kept", codes(shared.LEVELS_KEPT)),
        ("first operator", f"{code(shared.OPERATOR_USERNAME)}, password in `secrets/operator_password` of the home"),
    ]
    return table(("what", "default"), rows)


def constants() -> dict[str, Any]:
    """Return the facts that all parts share, by name; exit codes stand on the page of run steps."""
    return {name: value for name, value in vars(shared).items() if name.isupper() and not name.startswith("EXIT_")}


def _parts() -> Iterator[str]:
    described = words.load("facts")
    words.require(described, constants(), "facts", "shared facts")
    # The version stands in the changelog: this page should not change with each release.
    rows = [(_value(value), described[name]) for name, value in constants().items() if name != "VERSION"]
    yield "## Names and limits\n\n" + table(("value", "what it is"), rows)
    yield "## What a machine needs\n\n" + table(("what", "at least"), _minimums())
    yield (
        "## Ports of the embedded target\n\nAll on 127.0.0.1. Those that are not yours to choose are free ones, taken "
        "at the first deployment\nand remembered; `./deploy-local.sh status --json` shows them.\n\n"
        + table(("port", "default"), [(code(name), _port(name)) for name in PORTS])
    )
    secrets = [(code(name), what) for name, what in secret_files.SECRETS.items()]
    yield (
        "## Secret files\n\nGenerated in `secrets/` of the home at the first deployment, readable by their owner "
        "alone. To use a value of\nyour own, write the file before that: the value alone, no quotes, mode 0600.\n\n"
        + table(("file", "what it holds"), secrets)
    )
    target = next(option for option in commands()["up"].options if "--target" in option.flags)
    yield f"## Targets\n\n`--target` takes {codes(TARGETS)}; the default is {code(target.default)}.\n"
    yield from _settings()
    yield _caddy()


def _minimums() -> list[tuple[str, str]]:
    return [
        ("Python", ".".join(map(str, preflight.PYTHON_MINIMUM))),
        ("free disk space", f"{preflight.DISK_MINIMUM_BYTES >> 20} MiB"),
    ]


def _value(value: Any) -> str:
    return codes(value) if isinstance(value, tuple) else code(str(value))


def _port(name: str) -> str:
    return f"{code(str(shared.FRONT_PORT))}, another with `--port`" if name == "front" else "a free one"


def _settings() -> Iterator[str]:
    shared_by: dict[facts.Setting, list[str]] = {}
    for service in facts.services().values():
        for setting in service.settings:
            shared_by.setdefault(setting, []).append(service.name)
    groups: dict[tuple[str, ...], list[facts.Setting]] = {}
    for setting, names in shared_by.items():
        groups.setdefault(tuple(names), []).append(setting)
    yield (
        "## Settings of the services\n\nEach is an environment variable, read once at the start. **Secret files** are "
        "given as a path, never as a\nvalue.\n"
    )
    head = ("variable", "type", "default", "what it is")
    for group in sorted(groups, key=lambda one: (-len(one), one)):
        yield f"### {', '.join(group)}\n\n" + table(head, [_setting(one) for one in groups[group]])


def _setting(setting: facts.Setting) -> tuple[str, ...]:
    default = "**must be given**" if setting.default is None else code(setting.default) or "none"
    kind = f"**secret file**, {setting.type}" if setting.secret else setting.type
    return code(setting.variable), kind, default, setting.description


def _caddy() -> str:
    found: dict[str, str] = {}
    for name, default in _CADDY_VARIABLE.findall(CADDYFILE.read_text(encoding="utf-8")):
        found[name] = found.get(name) or default
    described = words.load("caddy")
    words.require(described, found, "caddy", "variables of the Caddyfile")
    # A colon without anything after it is a default, too: nothing.
    rows = [
        (code(name), (code(found[name][1:]) or "none") if found[name] else "**must be given**", described[name])
        for name in sorted(found)
    ]
    return "## Settings of Caddy\n\nVariables of `docker/caddy/Caddyfile`.\n\n" + table(
        ("variable", "default", "what it is"), rows
    )
