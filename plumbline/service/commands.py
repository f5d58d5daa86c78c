"""The command `service`."""

from __future__ import annotations

import argparse
from typing import Any

from plumbline.errors import PlumblineError
from plumbline.home import Home, write_privately
from plumbline.service import systemd, unit


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    service = commands.add_parser("service", parents=[common], help="start the stack with the machine (systemd)")
    service.add_argument("action", choices=("install", "remove"), help="install or remove its systemd unit")


def run(options: argparse.Namespace, home: Home) -> int:
    """Run the command and return its exit code."""
    missing = systemd.absence()
    if missing:
        raise PlumblineError(
            f"{missing}, so there is no service to {options.action}",
            hint=f"let this machine run at its start: {unit.by_hand(home.root)}",
        )
    with home.lock("service"):
        return _install(home) if options.action == "install" else _remove(home)


def _install(home: Home) -> int:
    if not home.exists:
        raise PlumblineError(f"there is no stack in {home.root}", hint="bring one up: ./deploy-local.sh")
    name = unit.name(home.root)
    place = systemd.folder() / name
    place.parent.mkdir(parents=True, exist_ok=True)
    write_privately(place, unit.text(home.root, is_user=systemd.is_user()))
    systemd.call("daemon-reload")
    systemd.call("enable", name)
    print(f"{place} starts the stack in {home.root} with the machine.")
    advice = systemd.let_user_linger()
    if advice:
        print(f"next: {advice}")
    return 0


def _remove(home: Home) -> int:
    name = unit.name(home.root)
    place = systemd.folder() / name
    if not place.exists():
        print(f"The stack in {home.root} has no service.")
        return 0
    systemd.call("disable", name)
    place.unlink()
    systemd.call("daemon-reload")
    print(f"Removed {place}. The stack itself goes on running; it no longer starts with the machine.")
    return 0
