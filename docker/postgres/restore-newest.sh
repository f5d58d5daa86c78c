#!/usr/bin/env bash
# Replaces the database by the newest archive in the folder $1, in one transaction, and proves that it is the same. For a
# stack without a home; `./deploy-local.sh restore` does more. What uses the database has to be stopped before.
# shellcheck disable=SC1091,SC2034,SC2154
set -euo pipefail
umask 077

folder=${1:?}
here=$(dirname "$(readlink -f "$0")")
digest=$(<"$here/digest.sql") # for restore.sh

fail() {
  echo "nothing was restored: $*" >&2
  exit 1
}

name=$(find "$folder" -maxdepth 1 -name '[0-9]*-*.plumbline' -printf '%f\n' | sort --numeric-sort | tail -n 1)
[ -n "$name" ] || fail "there is no archive in $folder"
archive=$folder/$name
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar --extract --directory="$work" --file="$archive" manifest.json SHA256SUMS || fail "$name is truncated"
sums=$(
  cd "$work"
  sha256sum manifest.json | sed 's/ \*/  /'
  tar --extract --to-stdout --file="$archive" app_db.dump | sha256sum | sed 's/ [ *]-$/  app_db.dump/'
)
[ "$sums" = "$(<"$work/SHA256SUMS")" ] || fail "$name was changed after it was written"

. "$here/connect.sh" "${PLUMBLINE_POSTGRES_PASSWORD_FILE:?}" "${PLUMBLINE_POSTGRES_HOST:?}" \
  "${PLUMBLINE_POSTGRES_PORT:-5432}" "${PLUMBLINE_POSTGRES_DB:?}" "${PLUMBLINE_POSTGRES_USER:?}"
expected=$(psql --dbname="$connection" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 \
  --set=manifest="$(<"$work/manifest.json")" <<'SQL'
SELECT format(E'revision\t%s\t%s', key, value)
FROM json_each_text(:'manifest'::json -> 'contents' -> 'revisions') ORDER BY key COLLATE "C";
SELECT format(E'table\t%s\t%s\t%s\t%s', t ->> 'name', t ->> 'rows', t ->> 'checksum',
    (SELECT string_agg(c, ',' ORDER BY n) FROM json_array_elements_text(t -> 'columns') WITH ORDINALITY AS _ (c, n)))
FROM json_array_elements(:'manifest'::json -> 'contents' -> 'tables') WITH ORDINALITY AS _ (t, place) ORDER BY place;
SQL
)$'\n'
tar --extract --to-stdout --file="$archive" app_db.dump | (. "$here/restore.sh" "$expected") ||
  fail "$name could not be restored, and the database is as before"
echo "restored $archive: all checksums are the archive's"
