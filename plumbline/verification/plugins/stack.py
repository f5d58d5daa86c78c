"""Fixtures for the stack to verify: the running one, or an own one that is removed afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from plumbline import deploy, diagnose, environment, identity, net
from plumbline.errors import NotGivenError, PlumblineError
from plumbline.home import DEFAULT_HOME, Home
from plumbline.https.door import LOCAL, Https
from plumbline.inside import Inside
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.targets.choose import TARGETS, choose
from plumbline.targets.kubernetes.target import KubernetesTarget
from plumbline.verification import waiting
from plumbline.verification.checks import commands, disruption, kept_connections, rows
from plumbline.verification.remote import Access, RemoteTarget

_ARTIFACTS = Path("test-artifacts")
_READY_AGAIN_S = 10
"""How long a service of a running stack may need to be ready again, such as after a slow answer of the database."""
OWN = pytest.StashKey[bool]()
"""Whether the suite brought up the stack itself."""
VERIFIED = pytest.StashKey[Target]()
"""The target of the stack that the checks verify."""
_NOT_VERIFIED = pytest.StashKey[dict[str, list[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose the stack."""
    group = parser.getgroup("plumbline", "the stack to verify")
    group.addoption(
        "--target",
        choices=(*TARGETS, RemoteTarget.name),
        default="auto",
        help="target of a stack that the suite brings up; remote: a stack deployed elsewhere",
    )
    group.addoption("--home", type=Path, default=DEFAULT_HOME, help="home of a running stack to reuse")
    group.addoption("--own-stack", action="store_true", help="bring up a stack even if one is running")
    group.addoption("--https", action="store_true", help="bring up a stack with HTTPS")
    group.addoption("--keep-stack", action="store_true", help="keep the stack that the suite brought up")
    group.addoption("--keep-connections", action="store_true", help="share HTTP connections, if new ones take long")
    group.addoption("--commands-of", type=Path, metavar="DIR", help="checkout whose commands the checks run")
    remote = parser.getgroup("plumbline-remote", "a stack deployed elsewhere (--target remote)")
    remote.addoption("--base-url", metavar="URL", help="its front door")
    remote.addoption(
        "--ca-file", type=Path, metavar="FILE", help="certificate of the authority that issued its certificate"
    )
    remote.addoption(
        "--database-dsn-file", type=Path, metavar="FILE", help="file with the connection string of its database"
    )
    remote.addoption("--redis-url", metavar="URL", help="its Redis, without a password")
    remote.addoption("--redis-password-file", type=Path, metavar="FILE", help="file with the password of its Redis")
    remote.addoption("--operator-password-file", type=Path, metavar="FILE", help="file with its operator's password")


def pytest_configure(config: pytest.Config) -> None:
    """Handle SIGTERM like Ctrl-C, so that fixtures clean up; choose whose commands checks run."""
    if config.getoption("commands_of"):
        commands.use(config.getoption("commands_of"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)


class _Uncaptured:
    """Runs an action outside of pytest's capturing, so that its output reaches the terminal."""

    def __init__(self, config: pytest.Config) -> None:
        self._capture: Any = config.pluginmanager.getplugin("capturemanager")

    def __call__(self, action: Callable[[], None]) -> None:
        with self._capture.global_and_fixture_disabled():
            action()


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The target of the stack."""
    uncaptured = _Uncaptured(request.config)
    disruption.allow(yes=request.config.getoption("disrupt"))
    if request.config.getoption("target") == RemoteTarget.name:
        yield _verified(request.config, _remote(request.config))
        return
    try:
        existing = existing_stack(request.config)
    except PlumblineError as error:
        pytest.exit(
            f"the stack in {request.config.getoption('home')} cannot be verified: {error}\n{error.hint or ''}", 1
        )
    if existing is None:
        disruption.allow(yes=True)
        request.config.stash[OWN] = True
        yield from (_verified(request.config, one) for one in _own_stack(request.config, uncaptured))
        return
    _trust(existing.stack())
    _refuse_incomplete(existing)
    uncaptured(lambda: print(f"\nreusing the stack in {existing.stack().home}", flush=True))
    yield _verified(request.config, existing)


def _verified(config: pytest.Config, target: Target) -> Target:
    config.stash[VERIFIED] = target
    if target.name == KubernetesTarget.name or config.getoption("keep_connections"):
        kept_connections.keep()
    return disruption.guard(target)


def existing_stack(config: pytest.Config) -> Target | None:
    """Return the stack in `--home`, complete or not; None if there is none, or if it has another target."""
    home = Home(config.getoption("home"))
    if config.getoption("own_stack") or not home.exists:
        return None
    existing, _ = choose("auto", home)
    wanted = config.getoption("target") in ("auto", existing.name)
    return existing if wanted and existing.stack().phase != "absent" else None


def _remote(config: pytest.Config) -> RemoteTarget:
    option = config.getoption
    if not option("base_url"):
        pytest.exit("--target remote needs --base-url: the front door of the stack", 4)
    environment.bypass_proxies(urlsplit(option("base_url")).hostname or "")
    if option("ca_file"):
        if not option("ca_file").is_file():
            pytest.exit(f"--ca-file {option('ca_file')}: there is no such file", 4)
        # requests reads the first, everything that uses OpenSSL directly the second.
        os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = str(option("ca_file").absolute())
    try:
        remote = RemoteTarget(
            Access(
                option("base_url"),
                option("database_dsn_file"),
                option("redis_url"),
                option("redis_password_file"),
                option("operator_password_file"),
            )
        )
        problems = remote.problems()
    except PlumblineError as error:
        problems = [str(error)]
    if problems:
        pytest.exit(f"the remote stack cannot be verified: {'; '.join(problems)}", 1)
    return remote


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Skip a check whose setup needs something that was not given."""
    return (yield from _skipping(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Skip a check that needs something that was not given."""
    return (yield from _skipping(item))


def _skipping(item: pytest.Item) -> Generator[None, None, None]:
    try:
        return (yield)
    except NotGivenError as error:
        item.config.stash.setdefault(_NOT_VERIFIED, {}).setdefault(str(error), []).append(item.nodeid)
        pytest.skip(str(error))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List the checks that were skipped for something that was not given."""
    for reason, names in config.stash.get(_NOT_VERIFIED, {}).items():
        terminalreporter.section(f"{len(names)} not verified: {reason}")
        for name in names:
            terminalreporter.line(name)


def _refuse_incomplete(existing: Target) -> None:
    """End the run if the stack is incomplete or was not deployed from this checkout."""
    stack = existing.stack()
    next_command = "./deploy-local.sh"
    if stack.release:
        problems, next_command = [f"it is on the {stack.release}"], "./deploy-local.sh rollback --forward"
    else:
        problems = _problems(existing, stack)
    if problems:
        home = Home(Path(stack.home))
        pytest.exit(
            f"the stack in {stack.home} cannot be verified: {'; '.join(problems)}.\n"
            f"Run first: {home.with_home_option(next_command)}\nTo verify a new stack instead, add --own-stack.",
            1,
        )


def _problems(existing: Target, stack: Stack) -> list[str]:
    problems = stack.problems() or identity.compare(stack.base_url, stack.stack_id, _READY_AGAIN_S)
    if not problems and not existing.from_this_checkout():
        problems = ["it was deployed from other files than those of this checkout"]
    return problems


def _https(config: pytest.Config) -> Https | None:
    return Https(LOCAL, "own", net.free_port()) if config.getoption("https") else None


def _trust(stack: Stack) -> None:
    """Let all clients of this process trust the stack's authority."""
    if stack.ca_file:
        # requests reads the first, everything that uses OpenSSL directly the second.
        os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = stack.ca_file


def _own_stack(config: pytest.Config, uncaptured: _Uncaptured) -> Iterator[Target]:
    home = Home(Path(tempfile.mkdtemp(prefix="plumbline-")))
    keep = config.getoption("keep_stack")
    mine, why = choose(config.getoption("target"), home, 0)
    try:
        try:
            mine.want_https(_https(config))
            with waiting.on("a new stack"):
                uncaptured(lambda: deploy.up(home, mine, why))
            _trust(mine.stack())
        except PlumblineError as error:
            _save_bundles(home)
            pytest.exit(f"the stack did not come up: {error}", 1)
        yield mine
        if config.pluginmanager.getplugin("terminalreporter").stats.get("failed"):
            diagnose.write_bundle(home, mine, "checks")
            _save_bundles(home)
    finally:
        if keep:
            uncaptured(lambda: print(_next_commands(home), flush=True))
        else:
            kept = mine.remove() if home.exists else []
            shutil.rmtree(home.root, ignore_errors=True)
            assert not kept, f"reset does not delete {', '.join(kept)}, which the stack created"  # noqa: S101  a check


def _next_commands(home: Home) -> str:
    commands = {"stack kept, status": "status", "warnings and errors": "logs", "remove it": "reset"}
    lines = [
        f"{what:<20} {home.with_home_option(f'./deploy-local.sh {command}')}" for what, command in commands.items()
    ]
    return "\n".join(["", *lines])


def _save_bundles(home: Home) -> None:
    if home.diagnostics.exists():
        _ARTIFACTS.mkdir(exist_ok=True)
        shutil.copytree(home.diagnostics, _ARTIFACTS / "diagnostics", dirs_exist_ok=True)


@pytest.fixture
def stack(target: Target) -> Stack:
    """The stack in its current state."""
    return target.stack()


@pytest.fixture(scope="session")
def inside(target: Target) -> Inside:
    """What runs in the stack, as it was when the first check asked: looking takes a while."""
    return target.inside()


@pytest.fixture
def database(stack: Stack) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A read-only connection to the stack's Postgres."""
    with rows.connect(stack) as connection:
        yield connection


@pytest.fixture
def redis_client(stack: Stack) -> Iterator[redis.Redis]:
    """A connection to the stack's Redis; only marked checks can write."""
    options = stack.redis.options()
    with disruption.GuardedRedis.from_url(
        stack.redis.url, **options, decode_responses=True, socket_timeout=30
    ) as client:
        yield client
