"""The way back to the release before Postgres, and forward again. Both can be repeated after an interruption."""

from __future__ import annotations

from plumbline import deploy
from plumbline.deploy import PreflightError
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.plan import ON_BASELINE, TODAY, Lineup
from plumbline.targets.base import Target

_FORWARD = "./deploy-local.sh rollback --forward"
_DIFFERENCES = f"""\
On the baseline, users find none of the data of this release. They register again, and post to an empty chat.
The data of this release is kept where it is, and comes back with {_FORWARD}
Documents, annotations and templates of the baseline are in its memory, and are lost whenever it restarts."""
_NOT_TAKEN_ALONG = """\
What was written on the baseline is not taken along. Its chat is kept for the next time, its documents are lost."""


def to_baseline(home: Home, target: Target) -> None:
    """Stop this release, and bring up the baseline on the same front door. Raises PlumblineError."""
    if target.lineup is not ON_BASELINE:
        print(home.with_home_option(_DIFFERENCES))
        _switch(target, ON_BASELINE)
    deploy.up(home, target, "rolled back to the baseline")


def forward(home: Home, target: Target) -> None:
    """Stop the baseline, and bring up this release with its data. Raises PlumblineError."""
    if target.lineup is TODAY:
        raise PlumblineError("this stack is not on the baseline", hint="./deploy-local.sh status")
    print(_NOT_TAKEN_ALONG)
    _switch(target, TODAY)
    deploy.up(home, target, "forward from the baseline")


def _switch(target: Target, lineup: Lineup) -> None:
    problems = target.problems()
    if problems:  # before anything is stopped
        raise PreflightError(problems)
    target.switch(lineup.release)
