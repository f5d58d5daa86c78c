"""docs/generated/defaults.md, and the short table of defaults in README.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from servicekit import describe
from servicekit import facts as shared

from plumbline import ROOT, preflight, secret_files
from plumbline.components import CADDY, OUR_OWN, PORTS, SPECS
from plumbline.home import DEFAULT_HOME
from plumbline.settings.caddy import CaddySettings
from plumbline.targets.choose import TARGETS
from plumbline.verification.docs import words
from plumbline.verification.docs.commands import commands
from plumbline.verification.docs.markdown import code, codes, table
from plumbline.verification.introspection import facts

_SETTINGS = """\
## Settings

`settings.env` in the home holds settings, one `NAME=VALUE` on each line. `./deploy-local.sh` checks every line, applies
what has changed, and restarts only the parts that read it ([format of the file](../one-machine.md#settings)). The same
file serves every target:

| target | how a setting gets there |
| --- | --- |
| `embedded` | into the environment of the processes that read it |
| `compose` | into the environment of the containers that read it; front host and port become the published address |
| `kubernetes` | into the ConfigMap of the part that reads it, over what the overlay says; the front port is forwarded |

A name that is listed below for several parts sets all of them. A name with the part in it sets that part only, and
takes precedence: `PLUMBLINE_BACKEND_WORKERS`, `PLUMBLINE_WORKER_WORKERS`, `PLUMBLINE_LOG_SINK_LOG_LEVEL`.

`docker compose` and `kubectl apply` by hand read no `settings.env`: set each name as an environment variable of the
container.
"""

_DEPLOYED = """\
## Set by the deployment

The deployment sets these environment variables; `settings.env` may not contain them. **Secret files** are given as a
path, never as a value.
"""

_INTRODUCTION = """\
# Defaults

A stack on one machine needs no settings. The harness gives every component its addresses, ports and secret files; all
else has the defaults below.

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
    """Return the facts that all parts share, by name, without the exit codes, which the page of run steps has."""
    return {name: value for name, value in vars(shared).items() if name.isupper() and not name.startswith("EXIT_")}


def _parts() -> Iterator[str]:
    described = words.load("facts")
    words.require(described, constants(), "facts", "shared facts")
    # The changelog has the version: this page should not change with each release.
    rows = [(_value(value), described[name]) for name, value in constants().items() if name != "VERSION"]
    yield "## Names and limits\n\n" + table(("value", "what it is"), rows)
    yield "## What a machine needs\n\n" + table(("what", "at least"), _minimums())
    yield (
        "## Ports of the embedded target\n\nAll are on 127.0.0.1. The first deployment chooses free ports, except "
        "for the front door,\nand keeps them; `./deploy-local.sh status --json` shows them.\n\n"
        + table(("port", "default"), [(code(name), _port(name)) for name in PORTS])
    )
    secrets = [(code(name), what) for name, what in secret_files.SECRETS.items()]
    yield (
        "## Secret files\n\nThe first deployment generates them in `secrets/` of the home, readable by their "
        "owner only. To use a value\nof your own, at any time, write it into the file, without quotes, mode 0600, "
        "and run `./deploy-local.sh`\n([what happens then](../security.md#secrets-are-files)).\n\n"
        + table(("file", "what it holds"), secrets)
    )
    target = next(option for option in commands()["up"].options if "--target" in option.flags)
    yield f"## Targets\n\n`--target` takes {codes(TARGETS)}; the default is {code(target.default)}.\n"
    yield from _settings()


def _minimums() -> list[tuple[str, str]]:
    return [
        ("Python", ".".join(map(str, preflight.PYTHON_MINIMUM))),
        ("free disk space", f"{preflight.DISK_MINIMUM_BYTES >> 20} MiB"),
    ]


def _value(value: Any) -> str:
    return codes(value) if isinstance(value, tuple) else code(str(value))


def _port(name: str) -> str:
    return (
        f"{code(str(shared.FRONT_PORT))}, another with `--port` or `PLUMBLINE_FRONT_PORT`"
        if name == "front"
        else "a free one"
    )


def _settings() -> Iterator[str]:
    yield _SETTINGS
    yield from _groups(lambda setting: not setting.deployed)
    yield _DEPLOYED
    yield from _groups(lambda setting: bool(setting.deployed))


def _groups(chosen: Callable[[facts.Setting], bool]) -> Iterator[str]:
    read_by: dict[facts.Setting, list[str]] = {}
    for part, settings in _every().items():
        for setting in filter(chosen, settings):
            read_by.setdefault(setting, []).append(part)
    groups: dict[tuple[str, ...], list[facts.Setting]] = {}
    for setting, names in read_by.items():
        groups.setdefault(tuple(names), []).append(setting)
    head = ("name", "type", "default", "what it is")
    for group in sorted(groups, key=lambda one: (-len(one), one)):
        yield f"### {', '.join(group)}\n\n" + table(head, [_setting(one) for one in groups[group]])


def _every() -> dict[str, tuple[facts.Setting, ...]]:
    said = facts.services()
    of_our_own = {name: said[SPECS[name].folder].settings for name in OUR_OWN}
    return of_our_own | {CADDY.name: tuple(facts.Setting(**one) for one in describe.fields(CaddySettings))}


def _setting(setting: facts.Setting) -> tuple[str, ...]:
    default = "**must be given**" if setting.default is None else code(setting.default) or "none"
    kind = f"**secret file**, {setting.type}" if setting.secret else setting.type
    return code(setting.variable), kind, default, setting.description
