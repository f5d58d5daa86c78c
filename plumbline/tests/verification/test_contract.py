"""The hooks of `nox -s contract` name objects that exist, and delete only spare ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from plumbline import ROOT

_GIVEN = {"ids": {"document_id": 7, "channel_id": 3}, "spare": {"document_id": [8]}}
_CALLS = """
import json, types
from tests.contract import hooks
known = {"document_id": 7}
sent = [hooks.with_known({"document_id": number, "other": 1}, known)["document_id"] for number in range(100, 140)]
deleted = []
for method in ("DELETE", "DELETE", "GET"):
    case = types.SimpleNamespace(method=method, path="/documents/{document_id}/", path_parameters={"document_id": 7})
    hooks.before_call(None, case, {})
    deleted.append(case.path_parameters["document_id"])
print(json.dumps([sent, deleted]))
"""


def test_requests_name_what_exists_and_deletions_what_is_spare() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CALLS], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
        env=os.environ | {"PLUMBLINE_CONTRACT_GIVEN": json.dumps(_GIVEN), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    sent, deleted = json.loads(done.stdout)
    assert 20 <= sent.count(7) < len(sent), "most requests shall name the object that exists, some another"
    assert deleted[0] == 8, "a deletion shall take the spare object"
    assert deleted[1] not in (7, 8), "without a spare object, a deletion shall find nothing"
    assert deleted[2] == 7
