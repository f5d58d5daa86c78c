# shellcheck shell=bash disable=SC2034
# Sourced instead of connect.sh: creates a Postgres in the folder $1 that exists only while the script runs, and sets
# `connection` to the connection string of its own empty database. The folder must be empty, or not exist.
set -euo pipefail
umask 077

folder=$1 database=$2 role=$3
shift 3
mkdir -p "$folder"
socket=$(mktemp -d /tmp/plumbline-XXXXXXXX)
end() {
  [ ! -s "$folder/postmaster.pid" ] || pg_ctl stop --pgdata="$folder" --mode=immediate --silent || true
  rm -rf "$socket" "${folder:?}"/*
  rmdir "$folder" 2>/dev/null || true # its parent may belong to another account, which removes it
}
trap end EXIT
trap 'exit 143' TERM INT HUP
cd "$folder"
initdb --pgdata="$folder" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --auth=trust --no-sync \
  --no-instructions >/dev/null
pg_ctl start --pgdata="$folder" --silent --log="$folder/log" --wait --options="-c listen_addresses='' \
  -c unix_socket_directories=$socket -c fsync=off -c full_page_writes=off -c shared_buffers=32MB -c max_wal_size=256MB \
  -c autovacuum=off -c max_connections=10" >/dev/null || { tail -n 5 "$folder/log" >&2; exit 1; }
createuser --host="$socket" --username=postgres "$role"
createdb --host="$socket" --username=postgres --owner="$role" "$database"
connection="host=$socket dbname=$database user=$role application_name=plumbline"
