"""Faults of how the stack is deployed on one machine: what it listens on, runs as, keeps and tells."""

from __future__ import annotations

from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import FRESH, UP, Fault, Mode, Patch

_EMBEDDED = "plumbline/targets/embedded"
_PROGRAMS = f"{_EMBEDDED}/programs.py"
_POSTGRES = f"{_EMBEDDED}/postgres.py"
_SUPERVISOR = f"{_EMBEDDED}/supervisor.py"
_SECRETS = "plumbline/secret_files.py"
_NEW = (FRESH,)

AREA = Area(
    "deployment",
    modules=("smoke/test_health.py", "smoke/test_secrets.py", "smoke/test_shape.py", "smoke/test_stores.py"),
    faults=(
        Fault("services-on-all-addresses", "the services listen on every address of the machine",
              Patch(_PROGRAMS, '"_HOST")] = "127.0.0.1"', '"_HOST")] = "0.0.0.0"'),
              {"smoke/test_shape.py::test_components_listen_only_on_declared_sockets": "backend: its port backend listens on tcp 0.0.0.0"}),
        Fault("datagrams-from-everywhere", "the port for Caddy's entries is open to the network",
              Patch(_PROGRAMS, '"_HOST")] = "127.0.0.1"', '"_HOST")] = "0.0.0.0" if "INGEST" in port.setting else "127.0.0.1"'),
              {"smoke/test_shape.py::test_components_listen_only_on_declared_sockets": "log-sink: its port log-ingest listens on udp 0.0.0.0"}),
        Fault("postgres-on-all-addresses", "Postgres listens on every address of the machine",
              Patch(_POSTGRES, "listen_addresses=127.0.0.1", "listen_addresses=0.0.0.0"),
              {"smoke/test_shape.py::test_components_listen_only_on_declared_sockets": "postgres: its port postgres listens on tcp 0.0.0.0"}),
        Fault("redis-on-all-addresses", "Redis listens on every address of the machine",
              Patch(f"{_EMBEDDED}/redis_server.py", '"--bind", "127.0.0.1"', '"--bind", "0.0.0.0"'),
              {"smoke/test_shape.py::test_components_listen_only_on_declared_sockets": "redis: its port redis listens on tcp 0.0.0.0"}),
        Fault("one-worker-each", "every service is told to run one server process",
              Patch(_PROGRAMS, '"PYTHONUNBUFFERED": "1",', '"PYTHONUNBUFFERED": "1", "PLUMBLINE_WORKERS": "1",'),
              {"smoke/test_shape.py::test_only_the_declared_processes_run": "backend: expected 2 server processes, found 1", "smoke/test_shape.py::test_every_process_belongs_to_this_deployment_without_a_debug_mode": "is told PLUMBLINE_WORKERS=1"}),
        Fault("sessions-for-a-month", "the backend is told to let sessions last a month",
              Patch(_PROGRAMS, '"PYTHONUNBUFFERED": "1",', '"PYTHONUNBUFFERED": "1", "PLUMBLINE_SESSION_TTL_S": "2592000",'),
              {"smoke/test_shape.py::test_every_process_belongs_to_this_deployment_without_a_debug_mode": "is told PLUMBLINE_SESSION_TTL_S=2592000"}),
        Fault("secret-in-environment", "a service has the value of a secret in its environment",
              Patch(_PROGRAMS, 'return {"PLUMBLINE_POSTGRES_HOST": "127.0.0.1",',
                    'return {"PLUMBLINE_POSTGRES_PASSWORD": (self.home.secrets / "postgres_password").read_text(),'
                    ' "PLUMBLINE_POSTGRES_HOST": "127.0.0.1",'),
              {"smoke/test_secrets.py::test_no_process_shows_a_secret": "in its variable PLUMBLINE_POSTGRES_PASSWORD", "smoke/test_shape.py::test_every_process_belongs_to_this_deployment_without_a_debug_mode": "is told PLUMBLINE_POSTGRES_PASSWORD"}),
        Fault("secret-in-log", "the secrets are written into a log",
              Patch(_PROGRAMS, "        folder = str(self.directory(CADDY.name))\n",
                    "        folder = str(self.directory(CADDY.name))\n"
                    "        with (self.home.logs / 'caddy.log').open('a') as log:\n"
                    "            log.write((self.home.secrets / 'internal_secret').read_text() + '\\n')\n",
                    _NEW),
              {"smoke/test_secrets.py::test_no_file_or_log_contains_a_secret": "internal_secret"}),
        Fault("postgres-socket-in-tmp", "Postgres opens a socket that every account of the machine can reach",
              Patch(_POSTGRES, 'listen = ["-c", "listen', 'listen = ["-c", "unix_socket_directories=/tmp", "-c", "listen'),
              {"smoke/test_shape.py::test_components_listen_only_on_declared_sockets": "postgres: listens on the socket /tmp/.s.PGSQL"}),
        Fault("nothing-watches-for-hangs", "a component that hangs is left alone",
              Patch(_PROGRAMS, "for one in (*every, self._watch())]", "for one in every]"),
              {"smoke/test_shape.py::test_only_the_declared_processes_run": "expected 1 watch, which restarts hanging components, found 0", "smoke/test_shape.py::test_the_supervisor_restarts_stops_and_protects_as_declared": "the supervisor has no section [program:watch]"}),
        Fault("logs-through-the-supervisor", "components stand still with their supervisor, which writes their logs",
              Patch(f"{_EMBEDDED}/launch.py", "    os.dup2(descriptor, 1)\n    os.dup2(descriptor, 2)\n", "", _NEW),
              {"smoke/test_recovery.py::test_a_supervisor_that_stands_still_stops_no_request": "got no answer within"}, only=True),
        Fault("components-stay-dead", "the supervisor does not start again what ended",
              Patch(_SUPERVISOR, '"autorestart=true"', '"autorestart=false"'),
              {"smoke/test_shape.py::test_the_supervisor_restarts_stops_and_protects_as_declared": "backend: autorestart is false"}),
        Fault("database-killed-to-stop", "Postgres is killed when it is to stop",
              Patch(_SUPERVISOR, 'f"stopwaitsecs={self.stop_wait_s}"', '"stopwaitsecs=1"'),
              {"smoke/test_shape.py::test_the_supervisor_restarts_stops_and_protects_as_declared": "postgres: stopwaitsecs is 1"}),
        Fault("files-open-to-others", "new files of components are readable by other accounts",
              Patch(_SUPERVISOR, "umask=077", "umask=022", _NEW),
              {"smoke/test_shape.py::test_the_supervisor_restarts_stops_and_protects_as_declared": "has umask 0022; expected 0077"}, only=True),
        Fault("redis-told-to-save", "Redis is started with an option to write snapshots",
              Patch(f"{_EMBEDDED}/redis_server.py", '"--daemonize", "no",', '"--daemonize", "no", "--save", "60 1",'),
              {"smoke/test_shape.py::test_the_supervisor_restarts_stops_and_protects_as_declared": "redis: is started with"}),
        Fault("shell-of-caller-in-services", "services inherit the environment of the shell that deployed them",
              Patch(_SUPERVISOR, '"LC_ALL": "C.UTF-8"}\n', '"LC_ALL": "C.UTF-8", "PLUMBLINE_LOG_LEVEL": "debug"}\n', _NEW),
              {"smoke/test_shape.py::test_every_process_belongs_to_this_deployment_without_a_debug_mode": "is told PLUMBLINE_LOG_LEVEL=debug"}),
        Fault("identity-constant", "each deployment has the same identity",
              Patch("plumbline/targets/in_a_home.py", "stack_id=secrets.token_hex(8)", 'stack_id="0123456789abcdef"', (UP,)),
              {"smoke/test_shape.py::test_each_deployment_gets_an_identity_of_its_own": "both are '0123456789abcdef'"}),
        Fault("operator-without-password", "the first operator is not created",
              Patch(_PROGRAMS, "self._secret_files(SPECS[name].migration_secrets)", "self._secret_files(())", _NEW),
              {"smoke/test_isolation.py::test_other_local_users_cannot_send_log_entries": "the operator could not log in"}, only=True),
        Fault("secrets-short", "secrets have sixteen bits",
              Patch(_SECRETS, "secrets.token_urlsafe(32)", "secrets.token_urlsafe(2)", _NEW),
              {"up": "holds fewer than 8 characters"}),
        Fault("secrets-the-same", "one secret serves as all",
              Patch(_SECRETS, '    for name in created:\n        write(folder / name, new_value().encode())',
                    '    one = new_value().encode()\n    for name in created:\n        write(folder / name, one)',
                    _NEW),
              {"smoke/test_secrets.py::test_secrets_are_hard_to_guess_and_different": "are equal"}),
        Fault("fsync-off-from-the-start", "new clusters do not wait for the disk",
              Patch(_POSTGRES, '    "unix_socket_directories": "",\n', '    "unix_socket_directories": "",\n    "fsync": "off",\n',
                    _NEW),
              {"smoke/test_stores.py::test_postgres_has_the_declared_settings": "fsync is off"}),
        Fault("trust-from-the-start", "new clusters accept every local user",
              Patch(_POSTGRES, "host all all 127.0.0.1/32 scram-sha-256\n", "host all all 127.0.0.1/32 trust\n", _NEW),
              {"smoke/test_stores.py::test_postgres_asks_every_client_for_a_password": "lets clients in by trust", "smoke/test_stores.py::test_no_role_of_postgres_has_a_password_that_can_be_guessed": "can log in to", "smoke/test_isolation.py::test_postgres_refuses_other_local_users": "was accepted; expected OperationalError", "smoke/test_health.py::test_postgres_refuses_a_wrong_password": "a client with a wrong password: was accepted"}),
        Fault("secret-readable-by-others", "other accounts can read the password of Postgres",
              Mode("secrets/postgres_password", 0o644),
              {"smoke/test_secrets.py::test_only_the_owner_can_read_the_home": "postgres_password: has mode 644"}),
        Fault("secrets-folder-open", "other accounts can enter the folder of the secrets", Mode("secrets", 0o755, 0o700), {"smoke/test_secrets.py::test_only_the_owner_can_read_the_home": "secrets: has mode 755"}),
        Fault("state-readable-by-others", "other accounts can read the state of the stack", Mode("state.json", 0o644), {"smoke/test_secrets.py::test_only_the_owner_can_read_the_home": "state.json: has mode 644"}),
        Fault("logs-open", "other accounts can list the logs", Mode("logs", 0o755, 0o700), {"smoke/test_secrets.py::test_only_the_owner_can_read_the_home": "logs: has mode 755"}),
        Fault("log-readable-by-others", "other accounts can read a log", Mode("logs/backend.log", 0o644), {"smoke/test_secrets.py::test_only_the_owner_can_read_the_home": "backend.log: has mode 644"}),
        Fault("home-writable-by-others", "other accounts can put files into the home", Mode("run", 0o777, 0o700), {"smoke/test_secrets.py::test_only_the_owner_can_read_the_home": "run: has mode 777"}),
    ),
)  # fmt: skip
