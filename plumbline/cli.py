"""The command line. Commands with a package of their own, such as `backup`, are added by that package."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from servicekit import facts

from plumbline import baseline, bundle, component_log, deploy, overview, recorder, users
from plumbline.backups import commands as backups
from plumbline.backups import schedule
from plumbline.backups.intervals import NEVER
from plumbline.backups.rollback import rollback
from plumbline.components import SPECS
from plumbline.errors import PlumblineError
from plumbline.home import DEFAULT_HOME, Home
from plumbline.https import options as https_options
from plumbline.plan import ON_BASELINE, PLAN
from plumbline.rotation import commands as rotation_commands
from plumbline.service import commands as service_commands
from plumbline.stack import Stack
from plumbline.targets.choose import TARGETS, choose, deployed
from plumbline.targets.compose import by_hand
from plumbline.targets.embedded.target import EmbeddedTarget
from plumbline.terminal import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, WIDTH, Parser, columns

_DOWN = "./deploy-local.sh starts it; ./deploy-local.sh logs --component NAME shows a component's own log"
_WITH_VALUE = ("--home", "--target", "--port", "--domain", "--certificate", "--key", "--acme-ca", "--acme-ca-root",
               "--http-port")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, one of the `EXIT_` constants. Wrong usage raises SystemExit(2)."""
    options = parser().parse_args(_command_first(sys.argv[1:] if arguments is None else list(arguments)))
    home = Home(getattr(options, "home", DEFAULT_HOME))
    try:
        return int(_COMMANDS[options.command](options, home))
    except PlumblineError as error:
        if not error.shown:
            print(home.fitted(str(error), "plumbline: "), file=sys.stderr)
            if error.hint:
                print(home.fitted(error.hint, "next: "), file=sys.stderr)
        return EXIT_FAILED
    except BrokenPipeError:  # the reader has closed the pipe, such as in `logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as error:
        print(home.fitted(str(error), "plumbline: "), file=sys.stderr)
        print(home.fitted("./deploy-local.sh doctor", "next: "), file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _command_first(arguments: list[str]) -> list[str]:
    """Move the command before its options; the default is `up`."""
    for position, argument in enumerate(arguments):
        if argument in ("-h", "--help", "--version"):
            return arguments
        if not argument.startswith("-") and (position == 0 or arguments[position - 1] not in _WITH_VALUE):
            return [argument, *arguments[:position], *arguments[position + 1 :]]
    return ["up", *arguments]


def parser() -> argparse.ArgumentParser:
    """Return the parser. The reference pages are generated from it, too."""
    common = Parser(add_help=False)
    common.add_argument("--home", type=Path, default=DEFAULT_HOME, metavar="DIR",
                        help="state, data, secrets and logs of one stack (default: .plumbline)")  # fmt: skip
    parser = Parser(prog="deploy-local.sh", description="Deploy and operate Plumbline.")
    parser.add_argument("--version", action="version", version=f"Plumbline {facts.VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", parents=[common], help="bring the stack up (the default)")
    up.add_argument("--target", choices=TARGETS, default="auto", help="how to run it (default: auto)")
    up.add_argument(
        "--port", type=_port, metavar="PORT", help=f"front door (default: {facts.FRONT_PORT}; 0: any free one)"
    )

    https_options.add(up)
    commands.add_parser("down", parents=[common], help="stop the stack; keep its data")
    status = commands.add_parser("status", parents=[common], help="show the state (exit code 3 if not running)")
    status.add_argument("--json", action="store_true", help="print JSON")
    commands.add_parser("plan", parents=[common], help="print the steps of a deployment; change nothing")

    logs = commands.add_parser("logs", parents=[common], help="show the recorder's last warnings and errors")
    logs.add_argument("--service", help="only entries of this service")
    logs.add_argument("--level", choices=facts.LEVELS_KEPT, help="only entries of this level")
    logs.add_argument(
        "--json", action="store_true", help="one JSON document per line; lines of --component as they are"
    )
    logs.add_argument("--follow", action="store_true", help="also show new entries, until Ctrl-C")
    logs.add_argument(
        "--component",
        choices=tuple(SPECS),
        metavar="NAME",
        help="show the end of a component's own log instead (%(choices)s)",
    )

    reset = commands.add_parser("reset", parents=[common], help="delete the stack with its data and secrets")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    doctor = commands.add_parser("doctor", parents=[common], help="check the machine and the stack for problems")
    doctor.add_argument("--bundle", action="store_true", help="also write a diagnostics bundle")
    doctor.add_argument("--repair", action="store_true", help="first restore an unreadable state file from its copy")
    back = commands.add_parser("rollback", parents=[common], help="go back to the release before, or to the baseline")
    way = back.add_mutually_exclusive_group()
    way.add_argument("--to", choices=(ON_BASELINE.release,), help="baseline: the release before Postgres")
    back.add_argument(
        "--without-snapshot", action="store_true", help="baseline: do not back up the database first; its data is kept"
    )
    back.add_argument(
        "--drop-data",
        action="store_true",
        help="baseline: delete the data of Postgres afterwards, after a typed confirmation",
    )
    way.add_argument(
        "--from-snapshot", action="store_true", help="restore the snapshot before the upgrade instead of reversing it"
    )
    back.add_argument("--yes", action="store_true", help="do not ask, even if data will be lost")
    way.add_argument("--forward", action="store_true", help="from the baseline to this release, with its data")
    archive = commands.add_parser(
        "bundle", parents=[common], help="write a release to one archive, or deploy one (`bundle load ARCHIVE`)"
    )
    archive.add_argument("action", nargs="?", choices=("load",), help="deploy an archive instead of writing one")
    archive.add_argument("archive", nargs="?", type=Path, help="load: the archive")
    archive.add_argument("--output", type=Path, metavar="FILE", help="file to write (default: plumbline-VERSION.tar)")
    archive.add_argument("--port", type=_port, metavar="PORT", help="load: front door, as in `up`")
    backups.add(commands, common)
    user = commands.add_parser("user", parents=[common], help="list, create or change accounts")
    user.add_argument("action", choices=users.ACTIONS, metavar="ACTION", help="what to do (%(choices)s)")
    user.add_argument("name", nargs="?", metavar="USERNAME", help="the user; `list` needs none")
    user.add_argument("--display-name", metavar="NAME", help="create: the name that others see (default: USERNAME)")
    user.add_argument("--operator", action="store_true", help="create: make the user an operator")
    user.add_argument("--json", action="store_true", help="list: one JSON document per line")
    rotation_commands.add(commands, common)
    service_commands.add(commands, common)
    commands.add_parser("secrets", help="create the secret files for a manual `docker compose up`")
    return parser


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a port is a number, not {text!r}") from None
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is between 0 and 65535")
    return port


def _up(options: argparse.Namespace, home: Home) -> int:
    with home.lock("up"):
        state = home.load()
        https = https_options.wanted(options, state)
        target, why = choose(options.target, home, https_options.port(options, state, https))
        target.want_https(https)
        deploy.up(home, target, why)
    return EXIT_OK


def _rollback(options: argparse.Namespace, home: Home) -> int:
    if options.drop_data and (options.forward or options.without_snapshot):
        raise PlumblineError("--drop-data needs the snapshot that `rollback --to baseline` takes")
    with home.lock("rollback"):
        target = deployed(home)
        if options.forward:
            baseline.forward(home, target)
            return EXIT_OK
        if options.to:
            deletes = f"This deletes the data of Postgres of the stack in {home.root}. A snapshot is kept in the home."
            if options.drop_data and not _typed(home, deletes):
                return EXIT_FAILED
            baseline.to_baseline(home, target, snapshot=not options.without_snapshot, drop_data=options.drop_data)
            return EXIT_OK
        if options.drop_data or options.without_snapshot:
            raise PlumblineError("--drop-data and --without-snapshot belong to `rollback --to baseline`")
        way = rollback(home, target, from_snapshot=options.from_snapshot, confirmed=options.yes)
    if way is None:
        return EXIT_FAILED
    way.go(home)  # without the lock, which the earlier release takes
    return EXIT_OK


def _down(options: argparse.Namespace, home: Home) -> int:
    del options
    if not home.exists:
        print(home.fitted(f"There is no stack in {home.root}."))
        return EXIT_OK
    with home.lock("down"):
        stopped = deployed(home).down()
    done = f"Stopped {', '.join(stopped)}. The data is kept in {home.root}." if stopped else "Nothing was running."
    print(home.fitted(done))
    return EXIT_OK


def _plan(options: argparse.Namespace, home: Home) -> int:
    del options, home
    for number, step in enumerate(PLAN, start=1):
        text = textwrap.fill(f"{step.does} Changes: {step.changes}.", WIDTH - 28)
        print(textwrap.indent(text, " " * 28).replace(" " * 28, f"{number:>2}. {step.name:<23} ", 1))
    return EXIT_OK


def _logs(options: argparse.Namespace, home: Home) -> int:
    target = deployed(home)
    width = columns()
    try:
        if options.component:
            if options.service or options.level:
                raise PlumblineError("--service and --level choose among the recorder's entries, not with --component")
            show = component_log.follow if options.follow else component_log.last_lines
            for line in show(partial(target.log_tail, options.component), width, raw=options.json):
                print(line, flush=True)
            return EXIT_OK
        chosen = {"service": options.service, "level": options.level}
        stack = target.stack()
        if stack.phase == "down":
            raise PlumblineError(f"there is no recorder: the stack in {home.root} is down", hint=_DOWN)
        for one in recorder.follow(stack, **chosen) if options.follow else _entries(stack, **chosen):
            if isinstance(one, dict):
                print(json.dumps(one, ensure_ascii=False) if options.json else recorder.line(one, width), flush=True)
            elif options.follow or not options.json:
                print(f"-- {one}", file=sys.stderr)
    except KeyboardInterrupt:
        if not options.follow:
            raise
    return EXIT_OK


def _entries(stack: Stack, **chosen: str | None) -> Iterator[dict[str, Any] | str]:
    entries, counts = recorder.kept(stack, **chosen)
    yield from entries
    if not entries and any(chosen.values()):
        yield f"no entries of {' and '.join(f'{name} {value}' for name, value in chosen.items() if value)}"
    yield recorder.summary(counts)


def _typed(home: Home, deletes: str) -> bool:
    """Say what is deleted, and return whether the user typed the name of the home."""
    print(home.fitted(deletes))
    try:
        answer = input(f"Type the folder's name ({home.root.name}) to continue: ")
    except EOFError:
        answer = ""
    if answer.strip() != home.root.name:
        print("Nothing was deleted.")
        return False
    return True


def _reset(options: argparse.Namespace, home: Home) -> int:
    if not (home.exists or home.is_home):
        print(f"There is no stack in {home.root}.")
        return EXIT_OK
    with home.lock("reset"):
        deletes = f"This deletes the stack in {home.root}: every channel, document, secret and log."
        if not options.yes and not _typed(home, deletes):
            return EXIT_FAILED
        existed = home.exists
        # Without a state file, there may still be processes of an embedded stack.
        kept = (deployed(home) if existed else EmbeddedTarget(home)).remove()
        if schedule.installed(home):  # it would find no stack to back up
            print(schedule.install(home, NEVER, 0))
    if not kept:
        print(f"Deleted {home.root}.")
        return EXIT_OK
    print(f"Deleted the stack in {home.root}." if existed else f"There is no stack in {home.root}.", end="")
    folder = home.root / backups.FOLDER
    others = [one for one in kept if not Path(one).is_relative_to(folder)]
    print(f" The backups in {folder} are kept." if len(others) < len(kept) else "", end="")
    print(" Kept, because the stack did not create it:" if others else "")
    for one in others:
        print(f"  {one}")
    return EXIT_OK


def _bundle(options: argparse.Namespace, home: Home) -> int:
    if options.action is None:
        archive = options.output or Path(bundle.default_name())
        with home.lock("bundle"):
            manifest = bundle.write(home, archive)
        size = archive.stat().st_size >> 20
        print(f"{archive} ({size} MiB) holds Plumbline {manifest['version']} for {manifest['platform']}:")
        ids = {name: image["id"] for name, image in manifest["images"].items()}
        for name, digest in {**manifest["files"], **ids}.items():
            print(f"  {digest.removeprefix('sha256:')}  {name}")
        print(f"To deploy it on another machine: ./deploy-local.sh bundle load {archive.name}")
        return EXIT_OK
    if options.archive is None:
        raise PlumblineError("no bundle was named", hint="./deploy-local.sh bundle load ARCHIVE")
    with home.lock("bundle load"):
        target, _ = choose("compose", home, options.port)
        manifest = bundle.load(options.archive, home)
        deploy.up(home, target, f"from {options.archive.name}, version {manifest['version']}")
    return EXIT_OK


def _secrets(options: argparse.Namespace, home: Home) -> int:
    del options, home
    created = by_hand.make_secrets()
    done = f"Created {', '.join(created)}" if created else "All secrets exist"
    print(f"{done} in docker/secrets; docker/.env names the folder.")
    print("Next: docker compose --file docker/compose.yaml up --build")
    return EXIT_OK


def _user(options: argparse.Namespace, home: Home) -> int:
    said = users.run(
        deployed(home), options.action, options.name,
        display_name=options.display_name, is_operator=options.operator, as_json=options.json,
    )  # fmt: skip
    print(said)
    return EXIT_OK


_COMMANDS = {
    "up": _up, "down": _down, "status": overview.status, "plan": _plan, "logs": _logs, "reset": _reset,
    "doctor": overview.doctor, "rollback": _rollback, "bundle": _bundle, "user": _user, "secrets": _secrets,
    **backups.COMMANDS,    "rotate-secret": rotation_commands.run, "service": service_commands.run,
}  # fmt: skip
