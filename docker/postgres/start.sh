#!/usr/bin/env bash
# Starts Postgres. Creates the cluster on an empty volume. Every start sets the role's password from the secret file, so
# that a new secret needs only a restart.
#
# The start script of the official image would put the password into the server's environment.
set -euo pipefail
umask 077

role=${PLUMBLINE_POSTGRES_USER:?}
database=${PLUMBLINE_POSTGRES_DB:?}
secret=${PLUMBLINE_POSTGRES_PASSWORD_FILE:?}
volume=$(dirname "$PGDATA")

refuse() {
  echo "postgres: $*" >&2
  exit 78
}

# Like `servicekit.secrets.read_secret`: removes a byte order mark, and white space at both ends.
read_secret() {
  local LC_ALL=C text
  [ "$(tr -d '\000' <"$1" | wc -c)" -eq "$(wc -c <"$1")" ] || refuse "secret file $1 looks like UTF-16: save it as UTF-8"
  text=$(<"$1")
  text=${text#$'\xef\xbb\xbf'}
  text=${text#"${text%%[![:space:]]*}"}
  text=${text%"${text##*[![:space:]]}"}
  case $text in
    '') refuse "secret file $1 is empty: delete it, a new one is generated at the next deployment" ;;
    *$'\n'* | *$'\r'*) refuse "secret file $1 has more than one line: write only the value" ;;
    $'\xff\xfe'* | $'\xfe\xff'*) refuse "secret file $1 looks like UTF-16: save it as UTF-8" ;;
  esac
  printf %s "$text"
}

# Statements are passed on stdin, so that the password is in no command line and, after an error, not in the log.
single_user() {
  postgres --single -D "$1" -c log_min_error_statement=panic -c log_min_messages=warning -c exit_on_error=on \
    postgres >/dev/null
}

set_password() {
  printf "ALTER ROLE %s PASSWORD '%s';\n" "$role" "${password//\'/\'\'}" | single_user "$1"
}

create() {
  local partial=$PGDATA.partial
  rm -rf "$partial"
  initdb --pgdata "$partial" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --auth-host=scram-sha-256 \
    --auth-local=peer --no-instructions --set password_encryption=scram-sha-256 >/dev/null
  cat >"$partial/pg_hba.conf" <<HBA
# Password over the network. The superuser has no password and can connect only inside the container.
local all postgres peer
host  all all all  scram-sha-256
HBA
  printf 'CREATE ROLE %s LOGIN;\n' "$role" | single_user "$partial"
  printf 'CREATE DATABASE %s OWNER %s;\n' "$database" "$role" | single_user "$partial"
  set_password "$partial"
  mv "$partial" "$PGDATA"
  echo "postgres: cluster created" >&2
}

[ -r "$secret" ] || refuse "secret file $secret is missing, or user $(id -u) may not read it"
password=$(read_secret "$secret")

major=$(postgres --version | sed -E 's/.* ([0-9]+)[^0-9].*/\1/')
for found in "$PGDATA/PG_VERSION" "$volume/PG_VERSION"; do
  if [ -s "$found" ] && [ "$(<"$found")" != "$major" ]; then
    refuse "the volume was written by Postgres $(<"$found"), this is Postgres $major: dump it with version" \
      "$(<"$found") (pg_dump), remove the volume, deploy, and restore the dump"
  fi
done
if [ -s "$volume/PG_VERSION" ]; then
  refuse "the volume holds a cluster that Plumbline did not create: dump it, remove the volume, deploy, restore the dump"
fi

# A killed server leaves a lock file with its pid. In a new container another process, such as this shell, may have that
# pid, and Postgres would refuse to start.
lock=$PGDATA/postmaster.pid
if [ -s "$lock" ] && [ "$(cat "/proc/$(head -n 1 "$lock")/comm" 2>/dev/null)" != postgres ]; then
  rm "$lock"
fi

if [ -s "$PGDATA/PG_VERSION" ]; then
  set_password "$PGDATA"
else
  create
fi
unset password
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql \
  -c log_line_prefix='%m [%p] %q%a ' -c log_min_duration_statement=1s -c idle_in_transaction_session_timeout=60s "$@"
