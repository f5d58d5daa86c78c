"""The recorder's answers: their headers, the pages with their scripts, and the counters.

Protects from pages of the recorder that a browser caches, frames or fills with foreign scripts.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest

from plumbline import net
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import contract
from plumbline.verification.checks.client import TIMEOUT_S
from plumbline.verification.checks.sessions import Operator

NEXT = "Next: ./deploy-local.sh logs --component log-sink"
ANSWERS = {
    "/logs/": ("text/html; charset=utf-8", "no-store"),
    "/logs/login": ("text/html; charset=utf-8", "no-cache"),
    "/logs/entries": ("application/json", "no-store"),
    "/logs/stats": ("application/json", "no-store"),
    "/logs/health": ("application/json", "no-store"),
    "/logs/assets/login.js": ("text/javascript; charset=utf-8", "no-cache"),
    "/logs/stream": ("text/event-stream; charset=utf-8", "no-store"),
}
"""Content type and Cache-Control of each kind of answer."""
POLICY = {
    "default-src": "'none'", "style-src": "'self'", "img-src": "'self'", "connect-src": "'self'",
    "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
}  # fmt: skip
"""Besides `script-src`, which names the inline script."""
TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


@pytest.fixture(scope="module")
def operator(target: Target) -> Iterator[Operator]:
    made = Operator(target.stack())
    yield made
    made.close()


@pytest.mark.parametrize("path", ANSWERS)
def test_answers_say_their_type_and_are_not_cached(operator: Operator, path: str) -> None:
    with operator.open(path) as answer:
        found = (answer.status_code, answer.headers.get("Content-Type"), answer.headers.get("Cache-Control"))
    assert found == (200, *ANSWERS[path]), f"log-sink: {path} is answered with a wrong status, type or cache. {NEXT}"


@pytest.mark.parametrize("path", ANSWERS)
def test_other_pages_can_neither_show_nor_change_the_recorder(operator: Operator, path: str) -> None:
    with operator.open(path) as answer:
        headers = answer.headers
    directives = dict(one.strip().split(" ", 1) for one in headers["Content-Security-Policy"].split(";"))
    scripts = directives.pop("script-src", "")
    assert directives == POLICY, f"log-sink: {path} has another Content-Security-Policy. {NEXT}"
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/]{43}='", scripts), f"log-sink: {path} allows scripts {scripts}"
    assert headers["Referrer-Policy"] == "no-referrer", f"log-sink: {path} has another Referrer-Policy. {NEXT}"


@pytest.mark.parametrize("path", ["/logs/", "/logs/login"])
def test_a_page_may_run_its_scripts_and_has_no_gaps(operator: Operator, path: str) -> None:
    answer = operator.call("GET", path)
    text = answer.body.decode()
    inline = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in inline]
    policy = answer.headers["Content-Security-Policy"]
    assert inline, f"log-sink: {path} has no inline script. {NEXT}"
    assert [one for one in hashes if one not in policy] == [], (
        f"log-sink: {path}: its policy forbids its script. {NEXT}"
    )
    gaps = re.findall(r"\{[A-Z_]+\}", text)
    assert gaps == [], f"log-sink: {path} shows {gaps} instead of values. {NEXT}"
    assert str(contract.LOG_CAP) in text, f"log-sink: {path} does not say how many entries are kept. {NEXT}"


def test_whatever_the_login_page_needs_is_there_without_a_session(stack: Stack) -> None:
    with net.direct_session() as http:
        waiting, seen = ["/logs/login"], set[str]()
        while waiting:
            path = waiting.pop()
            seen.add(path)
            answer = http.get(stack.base_url + path, timeout=TIMEOUT_S, allow_redirects=False)
            kind = TYPES.get(path.rpartition(".")[2], "text/html")
            found = (answer.status_code, answer.headers.get("Content-Type", "").partition(";")[0])
            assert found == (200, kind), f"caddy, log-sink: {path}, which the login page needs, gives {found}. {NEXT}"
            named = re.findall(r"""(?:src|href)="(/logs/assets/[^"]+)""", answer.text)
            named += [f"/logs/assets/{one}" for one in re.findall(r"""from ["']\./([\w.-]+)["']""", answer.text)]
            waiting += [one for one in named if one not in seen]
    assert len(seen) >= 4, f"log-sink: the login page names only {sorted(seen)}. {NEXT}"


def test_the_counters_balance_and_name_services_and_levels(operator: Operator) -> None:
    counts = operator.call("GET", "/logs/stats").expect(200)
    of = {
        "in total": [counts],
        "by service": [*counts["by_service"].values()],
        "by level": [*counts["by_level"].values()],
    }
    for name in ("received", "kept", "superseded", "dropped"):
        sums = {how: sum(one[name] for one in some) for how, some in of.items()}
        assert len(set(sums.values())) == 1, f"log-sink: `{name}` differs: {sums}. {NEXT}"
    wrong = [one for some in of.values() for one in some
             if one["received"] != one["kept"] + one["superseded"] + one["dropped"]]  # fmt: skip
    assert wrong == [], f"log-sink: received is not the sum of kept, superseded and dropped. {NEXT}"
    strange = counts["by_level"].keys() - {*contract.LEVELS_KEPT, "unknown"}
    assert strange == set(), f"log-sink: /logs/stats counts by levels that do not exist. {NEXT}"
