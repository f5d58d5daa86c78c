"""Send generated requests to both services: `python -m tests.contract`. Fails on a 5xx or an undeclared answer."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plumbline import ROOT, deploy
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.recorder import operator_session
from plumbline.stack import Stack
from plumbline.targets.choose import choose
from plumbline.verification.checks import api, samples
from plumbline.verification.checks.client import TIMEOUT_S, User
from plumbline.verification.checks.created import PREFIX, Run
from plumbline.verification.checks.reading import wait_until_read
from tests.contract import hooks

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
_ENDING = ("delete_me_auth_me_delete", "change_password_auth_password_post", "logout_auth_logout_post")
"""Calls that would end the session of all others, or spend the logins that the run needs to delete its account."""
_EXCLUDED = {"backend": [option for name in _ENDING for option in ("--exclude-operation-id", name)]}
_PHASES = "examples,coverage,fuzzing,stateful"
_EXAMPLES = 20
_SEED = 1
_SPARE = 5
"""Objects of a kind for calls that delete."""
_SERVICE_S = 900
"""How long the requests of one session to one service may take; what is left of them then is not sent."""
_MARGIN_S = 300
# Generated accounts all come from one address.
_SETTINGS = "PLUMBLINE_REGISTRATIONS_PER_ADDRESS=1000000\n"


def parser() -> argparse.ArgumentParser:
    """Return the command line of `nox -s contract`."""
    made = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    made.add_argument(
        "--examples", type=int, default=_EXAMPLES, help=f"requests of each phase to a call (default: {_EXAMPLES})"
    )
    made.add_argument("--seed", type=int, default=_SEED, help=f"another seed: other requests (default: {_SEED})")
    made.add_argument("--service", choices=tuple(api.PATHS), help="send to this service alone")
    made.add_argument("--seconds", type=int, default=_SERVICE_S, help=f"most for a session (default: {_SERVICE_S})")
    made.add_argument("--home", type=Path, help="use this running stack, where generated rows stay")
    return made


def main() -> int:
    """Return the exit code: 0 all answers are declared, 1 some are not, or the stack did not come up."""
    options = parser().parse_args()
    try:
        with _stack(options.home) as stack:
            services = [name for name in api.PATHS if options.service in (None, name)]
            return max(_as_both(stack, name, options) for name in services)
    except PlumblineError as error:
        print(f"tests.contract: {error}", file=sys.stderr)
        return 1


@contextmanager
def _stack(running: Path | None) -> Iterator[Stack]:
    """Yield a running stack, or a new one that is removed afterwards."""
    home = Home(running or Path(tempfile.mkdtemp(prefix="plumbline-")))
    target, why = choose("embedded", home, 0)
    if running:
        yield target.stack()
        return
    try:
        home.prepare()
        home.settings.write_text(_SETTINGS)
        deploy.up(home, target, why)
        yield target.stack()
    finally:
        if home.exists:
            target.remove()
        shutil.rmtree(home.root, ignore_errors=True)


def _as_both(stack: Stack, service: str, options: argparse.Namespace) -> int:
    """Send to a service with the session of a new user, then with an operator's. Return the higher exit code."""
    run = Run(stack)
    try:
        user = User(stack, run)
        found = _send(stack, service, options, user.username, user.token, _given(user))
        with operator_session(stack) as operator:
            about = operator.get(f"{stack.base_url}/auth/me", timeout=TIMEOUT_S).json()
            given = _given(user)
            user.post(f"/channels/{given['ids']['channel_id']}/members", {"user_id": about["id"]}).expect(201)
            token = str(operator.headers["Authorization"]).removeprefix("Bearer ")
            return max(found, _send(stack, service, options, about["username"], token, given))
    finally:
        run.delete()


def _send(stack: Stack, service: str, options: argparse.Namespace, name: str, token: str, given: dict[str, Any]) -> int:
    """Run Schemathesis against a service with a session. Return its exit code."""
    print(f"\n{service}: calls of {name}, seed {options.seed}", flush=True)
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", stack.base_url + api.PATHS[service],
        "--header", f"Authorization: Bearer {token}", "--checks", ",".join(_CHECKS), "--phases", _PHASES,
        "--max-examples", str(options.examples), "--seed", str(options.seed), "--max-time", str(options.seconds),
        "--continue-on-failure", "--no-shrink", "--generation-database", "none", "--request-timeout", "60",
        *_EXCLUDED.get(service, []),
    ]  # fmt: skip
    variables = {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": hooks.__name__, hooks.VARIABLE: json.dumps(given)}
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            command, cwd=folder, env=os.environ | variables, check=False, timeout=options.seconds + _MARGIN_S
        ).returncode


def _given(user: User) -> dict[str, Any]:
    """Return ids of objects that exist, by the names of parameters and fields, for the hooks."""
    channel = int(user.create_channel()["id"])
    document, *documents = [
        int(user.upload(channel, f"{PREFIX}{number}.pdf", samples.pdf()).expect(201)["id"]) for number in range(_SPARE)
    ]
    wait_until_read(user, document)
    label = {
        "label_type": "text", "bounding_box": {"x": 0.1, "y": 0.1, "width": 0.8, "height": 0.3},
    }  # fmt: skip
    template = user.post("/data-processor/templates/", {
        "channel_id": channel, "name": f"{PREFIX}contract-{channel}", "source_document_id": document,
        "labels": [label | {"name": "number"}],
    }).expect(201)["id"]  # fmt: skip
    annotation, *annotations = [
        user.post(f"/data-processor/documents/{document}/annotations/", label | {"label_name": "number"}).expect(201)[
            "id"
        ]
        for _ in range(_SPARE)
    ]
    batch = {"channel_id": channel, "template_id": template, "document_ids": [document]}
    return {
        "ids": batch | {
            "user_id": user.id, "document_id": document, "source_document_id": document, "page": 1,
            "annotation_id": annotation, "batch_id": user.post("/data-processor/batch/", batch).expect(202)["id"],
        },
        "spare": {
            "document_id": documents, "annotation_id": annotations,
            "channel_id": [int(user.create_channel()["id"]) for _ in range(_SPARE)],
        },
        "login": {"username": user.username, "password": user.password},
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
