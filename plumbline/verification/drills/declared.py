"""The drills: one table."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.components import COMPONENTS
from plumbline.verification.drills import acts, deployments, disk

_SOCKETS = 40


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill: what it does to a stack while clients use it.

    `unanswered` says why requests may get no answer, `signed_out` why sessions may end; empty if they may not.
    """

    name: str
    does: str
    act: acts.Act
    unanswered: str = ""
    signed_out: str = ""
    sockets: int = _SOCKETS
    small_disk: bool = False
    """Whether it needs a stack of its own, on a file system of limited size."""


_WAITS_LONGER = "Caddy waits longer for a service that stands still than clients wait"
_NO_DOOR = "the front door itself is away"
_NO_SESSIONS = "sessions are rows, and the baseline and the reversed migrations have none of them"
_OF_DOOR = {"caddy": _NO_DOOR}
_OF_STALL = {"caddy": _NO_DOOR, "backend": _WAITS_LONGER, "data-processor": _WAITS_LONGER}

DRILLS: tuple[Drill, ...] = (
    *(Drill(f"kill {name}", f"`kill -9` all processes of {name}", acts.kill(name), _OF_DOOR.get(name, ""))
      for name in COMPONENTS),
    *(Drill(f"stop {name}", f"stop {name} for 10 s", acts.stop(name), _OF_DOOR.get(name, "")) for name in COMPONENTS),
    *(Drill(f"stall {name}", f"SIGSTOP to all processes of {name}, SIGCONT after 10 s", acts.stall(name),
            _OF_STALL.get(name, "")) for name in COMPONENTS),
    Drill("stall redis, 500 sockets", "the same with Redis, with 500 sockets", acts.stall("redis"), sockets=500),
    Drill("kill a process of each", "`kill -9` one server process of each service and the worker",
          acts.kill_a_process_of_each),
    Drill("kill all", "`kill -9` all components at once", acts.kill(*COMPONENTS), _NO_DOOR),
    Drill("restart all", "`down`, then `up`", deployments.restart_all, _NO_DOOR),
    Drill("interrupt up", "`down`, then `kill -9` of `up` in the middle of each of its steps, then `up`",
          deployments.interrupt_up, _NO_DOOR),
    Drill("interrupt migrations", "stop what writes, reverse two migrations of each service, then `kill -9` of `up` "
          "when the first of them is to be recorded, and when its chain is, then `up`",
          deployments.interrupt_migrations, _NO_DOOR, _NO_SESSIONS),
    Drill("roll back", "reverse a migration of each service, `up`, `rollback`, `up`", deployments.roll_back, _NO_DOOR),
    Drill("baseline and forward", "`rollback --to baseline`, then `rollback --forward`", deployments.baseline,
          _NO_DOOR, _NO_SESSIONS),
    Drill("fill the disk", "no byte is free for 10 s on the file system of the stack", disk.fill, small_disk=True),
)  # fmt: skip
