"""The command `rotate-secret`."""

from __future__ import annotations

import argparse
from typing import Any

from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.plan import TODAY
from plumbline.rotation.rotate import Rotator
from plumbline.rotation.target import RotatingTarget
from plumbline.secret_files import SECRETS
from plumbline.targets.choose import choose

ALL = "all"


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    rotate = commands.add_parser(
        "rotate-secret", parents=[common], help="replace a secret of the running stack, without a failed request"
    )
    rotate.add_argument(
        "name",
        choices=(*SECRETS, ALL),
        metavar="NAME",
        help="the secret to replace; all: one after the other (%(choices)s)",
    )
    rotate.add_argument(
        "--end-former", action="store_true", help="token_secret: only end the former keys now, and their sessions"
    )


def run(options: argparse.Namespace, home: Home) -> int:
    """Run the command and return its exit code."""
    if options.end_former and options.name != "token_secret":
        raise PlumblineError("only a former token_secret is accepted for so long that it can be ended", hint="drop it")
    if not home.exists:
        raise PlumblineError(f"there is no stack in {home.root}", hint="bring one up: ./deploy-local.sh")
    with home.lock("rotate-secret"):
        target = choose("auto", home)[0]
        if target.lineup is not TODAY:
            raise PlumblineError(
                f"secrets are not replaced on the {target.lineup.release}", hint="./deploy-local.sh rollback --forward"
            )
        if not isinstance(target, RotatingTarget):
            raise PlumblineError(f"target {target.name} has no secrets of its own")
        rotator = Rotator(home, target)
        if options.end_former:
            ended = rotator.end_former()
            print(
                f"{ended} former keys are refused; their sessions have ended." if ended else "There is no former key."
            )
            return 0
        for name in SECRETS if options.name == ALL else (options.name,):
            print(f"{name}: {rotator.rotate(name)}", flush=True)
    return 0
