"""The drills that need several nodes: one table."""

from __future__ import annotations

from plumbline.verification.cluster import acts
from plumbline.verification.drills.declared import Drill

_LOST = "the front door's pod on that node gets connections until the node is missed"

DRILLS: tuple[Drill, ...] = (
    Drill("none", "nothing is disturbed, for comparison", acts.nothing),
    Drill("lose a node", "cut the power of a node without Postgres and Redis, and turn it on again 20 s after the "
          "control plane missed it", acts.lose_a_node, _LOST),
    Drill("lose the node of Postgres", "the same with the node of Postgres, which is marked as out of service when it "
          "is missed", acts.lose_the_node_of_postgres, _LOST),
    Drill("drain", "`kubectl drain` of a node without Postgres and Redis", acts.drain),
    Drill("drain the node of Postgres", "`kubectl drain` of the node of Postgres", acts.drain_the_node_of_postgres),
    Drill("cut a node off", "no packet passes to or from a node without Postgres and Redis for 20 s",
          acts.cut_a_node_off, _LOST),
    Drill("cut Postgres off", "the same with the node of Postgres", acts.cut_postgres_off, _LOST),
    Drill("broken image", "roll out an image of the backend that does not serve, and undo it", acts.broken_image),
    Drill("failing migration", "`up` of a checkout whose migration fails, then of the one before",
          acts.failing_migration),
    Drill("good release", "`up` of a checkout with other services, and of the one before", acts.good_release),
    Drill("scale the worker", "one pod of the worker, two, one, and two again, while documents come in",
          acts.scale_the_worker),
    Drill("restart Postgres, nodes full", "delete Postgres's pod while a rollout waits for processors",
          acts.restart_postgres_without_room),
)  # fmt: skip
