"""Only the role can log in to the cluster, from loopback with its password. A partial cluster is not used."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from servicekit import facts

from plumbline import ROOT
from plumbline.errors import StepError
from plumbline.net import free_port
from plumbline.targets.embedded import accounts, leftovers, postgres
from plumbline.verification.throwaway import PostgresServer, wait_until

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="is about what root does")


def _value(conninfo: str, query: str) -> object:
    with psycopg.connect(conninfo) as conn:
        return conn.execute(query).fetchone()[0]


@pytest.fixture
def cluster(public_folder):
    """A cluster that was not created yet."""
    account = accounts.for_postgres()
    home = public_folder / "home"
    home.mkdir(mode=0o755)
    binaries, data = postgres.place(home, account, home / "postgres")
    yield postgres.Cluster(binaries, data, account, free_port())
    leftovers.end(leftovers.find([data, data.with_name(data.name + ".partial")], None))
    shutil.rmtree(postgres.private_place(home), ignore_errors=True)


@pytest.fixture(scope="module")
def own_server():
    """A server that these tests may stop and change."""
    with tempfile.TemporaryDirectory(prefix="plumbline-test-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder))
        server.start()
        yield server
        server.stop()
        shutil.rmtree(postgres.private_place(Path(folder) / "home"), ignore_errors=True)


def test_it_is_the_major_version_that_was_promised(postgres_server):
    assert _value(postgres_server.conninfo, "SHOW server_version").split(".")[0] == str(facts.POSTGRES_MAJOR)


def test_the_role_owns_its_database_and_is_nothing_more(postgres_server):
    with psycopg.connect(postgres_server.conninfo) as conn:
        role = conn.execute(
            "SELECT current_user, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls "
            "FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert role == (facts.DATABASE_USER, False, False, False, False, False)
        owner = conn.execute(
            "SELECT datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database "
            "WHERE datname = current_database()"
        ).fetchone()
        assert owner == (facts.DATABASE_NAME, facts.DATABASE_USER, "UTF8")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT rolpassword FROM pg_authid")


def test_the_password_is_proven_by_scram(postgres_server):
    assert _value(make_conninfo(postgres_server.conninfo, require_auth="scram-sha-256"), "SELECT 1") == 1
    for other in ("none", "password", "md5"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(make_conninfo(postgres_server.conninfo, require_auth=other))


@pytest.mark.parametrize("password", ["", "wrong", "postgres", None])
@pytest.mark.parametrize("database", ["postgres", "template1", facts.DATABASE_NAME])
def test_the_superuser_cannot_log_in(postgres_server, password, database):
    conninfo = make_conninfo(
        postgres_server.conninfo, user="postgres", dbname=database, password=password or postgres_server.password
    )
    with pytest.raises(psycopg.OperationalError, match=r"password authentication failed|no password supplied"):
        psycopg.connect(conninfo)


def test_a_wrong_password_is_refused_and_known_as_such(postgres_server):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(make_conninfo(postgres_server.conninfo, password="wrong"))
    assert postgres_server._cluster.probe("wrong") == "password"
    assert postgres_server._cluster.probe(postgres_server.password) is None


def test_a_stopped_server_is_distinguished_from_a_wrong_password(cluster):
    assert "refused" in cluster.probe("any password")


def test_it_listens_on_loopback_alone_and_on_no_socket_file(postgres_server):
    lines = (postgres_server._cluster.data / "postmaster.pid").read_text().splitlines()
    server = psutil.Process(int(lines[0]))
    listening = [tuple(one.laddr) for one in server.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", postgres_server.port)]
    assert lines[4] == "", "the folder of its socket file"


def test_its_files_are_closed_to_others(postgres_server):
    data = postgres_server._cluster.data
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert not [path for path in data.rglob("*") if path.exists() and path.stat().st_mode & 0o007]


def test_the_password_stands_in_no_log_and_no_command_line(own_server):
    own_server.restart()
    assert own_server.password not in own_server._log.read_text()
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert any(str(own_server._cluster.data) in line for line in lines)
    assert not [line for line in lines if own_server.password in line]


@pytest.mark.parametrize("renewed", ["quite-another", "pä'ss\"w\\o$rd; -- %s"])
def test_a_renewed_password_replaces_the_one_before(own_server, renewed):
    own_server.stop()
    own_server._cluster.set_password(renewed)
    before, own_server.password = own_server.password, renewed
    own_server.start()
    assert own_server._cluster.probe(before) == "password"
    assert _value(own_server.conninfo, "SELECT current_user") == facts.DATABASE_USER


def test_data_survive_a_restart(own_server):
    with psycopg.connect(own_server.conninfo) as conn:
        conn.execute("CREATE TABLE kept (x int)")
        conn.execute("INSERT INTO kept VALUES (7)")
    own_server.restart()
    assert _value(own_server.conninfo, "SELECT x FROM kept") == 7


_CREATE = """
import sys
from pathlib import Path
from plumbline.targets.embedded import accounts, postgres
binaries, data = Path(sys.argv[1]), Path(sys.argv[2])
postgres.Cluster(binaries, data, accounts.for_postgres(), int(sys.argv[3])).create("a-password")
"""


@pytest.mark.parametrize("reached", ["", "global/pg_control"])
def test_a_creation_that_was_killed_leaves_no_cluster_and_the_next_one_succeeds(cluster, reached):
    partial = cluster.partial
    with subprocess.Popen(
        [sys.executable, "-c", _CREATE, str(cluster.binaries), str(cluster.data), str(cluster.port)], cwd=ROOT
    ) as creating:
        wait_until(lambda: (partial / reached).exists(), f"the creation gets as far as {reached or 'its folder'}")
        creating.kill()
    assert postgres.data_major(cluster.data) is None
    assert not cluster.data.exists()
    leftovers.end(leftovers.find([partial, cluster.data], None))
    cluster.create("another-password")
    assert postgres.data_major(cluster.data) == facts.POSTGRES_MAJOR
    assert not partial.exists()
    _serve_once(cluster, "another-password")


def _serve_once(cluster: postgres.Cluster, password: str) -> None:
    with subprocess.Popen(
        cluster.command(), cwd="/", stderr=subprocess.DEVNULL, **cluster.account.popen_arguments()
    ) as server:
        try:
            wait_until(lambda: cluster.probe(password) is None, "the role can log in")
        finally:
            server.send_signal(2)


def test_a_creation_that_fails_says_why_and_leaves_no_cluster(cluster, monkeypatch):
    monkeypatch.setattr(postgres, "_SETTINGS", {"no_such_setting": "1"})
    with pytest.raises(StepError, match="creating the Postgres cluster failed") as caught:
        cluster.create("a-password")
    assert caught.value.component == "postgres"
    assert caught.value.exit_code not in (None, 0)
    assert "no_such_setting" in str(caught.value)
    assert not cluster.data.exists()


@pytest.mark.parametrize(("content", "major"), [("16\n", 16), ("15", 15), ("", None), ("x", None), (None, None)])
def test_the_major_version_of_a_data_directory(tmp_path, content, major):
    if content is not None:
        (tmp_path / "PG_VERSION").write_text(content)
    assert postgres.data_major(tmp_path) == major


@ROOT_ONLY
def test_root_lends_postgres_an_account_without_rights(postgres_server):
    data = postgres_server._cluster.data
    assert pwd.getpwuid(data.stat().st_uid).pw_name == accounts.SYSTEM_USER
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    process = psutil.Process(pid)
    assert set(process.uids()) == {data.stat().st_uid}
    assert 0 not in set(process.gids())


@ROOT_ONLY
def test_an_ordinary_user_can_do_all_of_it(public_folder):
    nobody = pwd.getpwnam("nobody")
    public_folder.chmod(0o777)
    if not accounts.Account("nobody", nobody.pw_uid, nobody.pw_gid).can_enter(postgres.bundled_binaries()):
        pytest.skip("the environment's Postgres programs lie in a folder that only root can enter")
    pid = os.fork()
    if pid == 0:  # a process of that user, with everything imported: it may not be able to read this Python
        code = 1
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            account = accounts.for_postgres()
            assert account == accounts.Account()
            home = public_folder / "home"
            home.mkdir()
            binaries, data = postgres.place(home, account, home / "postgres")
            assert data == home / "postgres"
            cluster = postgres.Cluster(binaries, data, account, free_port())
            cluster.create("a-password")
            _serve_once(cluster, "a-password")
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (public_folder / "home" / "postgres").stat().st_uid == nobody.pw_uid


@ROOT_ONLY
def test_a_home_that_the_account_cannot_enter_gets_a_place_that_it_can(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    private = Path(f"/var/tmp/plumbline-test-{os.getpid()}") / "stack"
    monkeypatch.setattr(postgres, "private_place", lambda home: private)
    account = accounts.for_postgres()
    before = os.umask(0o077)
    try:
        binaries, data = postgres.place(closed, account, closed / "postgres")
        assert not private.exists(), "to ask where is to change nothing"
        cluster = postgres.Cluster(binaries, data, account, free_port())
        cluster.create("a-password")
        assert account.can_enter(binaries)
        assert account.can_enter(data.parent)
        _serve_once(cluster, "a-password")
    finally:
        os.umask(before)
        shutil.rmtree(private.parent)
    assert list(closed.iterdir()) == []
