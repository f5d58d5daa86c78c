#!/usr/bin/env bash
# Writes an archive of the database to $1, verifies it, and keeps the newest $2: the CronJob of k8s/components/backups.
# Its archives are those of `./deploy-local.sh backup`; plumbline/backups/archive.py describes them.
# shellcheck disable=SC1091,SC2034
set -euo pipefail
umask 077

folder=${1:?} keep=${2:?}
database=${PLUMBLINE_POSTGRES_DB:?}
role=${PLUMBLINE_POSTGRES_USER:?}
here=$(dirname "$(readlink -f "$0")")
digest=$(<"$here/digest.sql") # for the scripts beside this one
work=$folder/.work

said=$(mktemp)

fail() { # exit code, reason
  echo "no backup was made: $2; earlier archives are kept" >&2
  exit "$1"
}

last_words() { grep -v '^pg_\(dump\|restore\): ' "$said" | tail -n 3 || true; }

exec 6>"$folder/.lock"
flock --nonblock 6 || fail 75 "another one is being written to $folder"
rm -rf "$work" # of one that was killed
mkdir "$work" 2>"$said" || fail 1 "$(last_words)"
trap 'rm -rf "$work" "$said"' EXIT

# The lines of digest.sql, then a line `dump`, then the dump and its last line.
made_at=$(date --utc +%Y-%m-%dT%H:%M:%S+00:00)
(
  . "$here/connect.sh" "${PLUMBLINE_POSTGRES_PASSWORD_FILE:?}" "${PLUMBLINE_POSTGRES_HOST:?}" \
    "${PLUMBLINE_POSTGRES_PORT:-5432}" "$database" "$role"
  . "$here/dump.sh"
) 2>"$said" | {
  while IFS= read -r line && [ "$line" != dump ]; do printf '%s\n' "$line"; done >"$work/contents"
  cat >"$work/app_db.dump"
} 2>>"$said" || fail $? "$(last_words)"
end=$'\nend of the dump\n'
[ "$(tail -c ${#end} "$work/app_db.dump")" = "${end%$'\n'}" ] || fail 1 "the dump is truncated"
truncate --size=-${#end} "$work/app_db.dump"

release=unreleased
[ ! -f "$here/release" ] || release=$(cat "$here/release")
# Backslashes and quotation marks are escaped before awk splits the lines at their tabs.
sed 's/[\\"]/\\&/g' "$work/contents" | awk -F'\t' -v begin="{\"format\": 1, \"made_at\": \"$made_at\", \
\"reason\": \"scheduled\", \"release\": \"$release\", \"commit\": \"\", \
\"target\": \"kubernetes\", \"stack_id\": \"${PLUMBLINE_STACK_ID:-}\", \"contents\": " '
  $1 == "revision" { revisions = revisions (revisions ? ", " : "") "\"" $2 "\": \"" $3 "\"" }
  $1 == "table" {
    columns = $5
    gsub(/,/, "\", \"", columns)
    tables = tables (tables ? ",\n" : "") "  {\"name\": \"" $2 "\", \"rows\": " $3 ", \"checksum\": \"" $4 \
      "\", \"columns\": [\"" columns "\"], \"bytes\": " $6 "}"
  }
  END { print begin "{\n \"revisions\": {" revisions "},\n \"tables\": [\n" tables "\n ]}}" }
' >"$work/manifest.json"

cd "$work"
sha256sum manifest.json app_db.dump | sed 's/ \*/  /' >SHA256SUMS
tar --create --format=gnu --owner=0 --group=0 --file=archive manifest.json app_db.dump SHA256SUMS 2>"$said" ||
  fail 1 "$(last_words)"
rm app_db.dump
cd "$folder"

# The archive, as it can be read again, is restored into a Postgres of its own, and compared.
expected=$(sed 's/^\(table\t.*\)\t[0-9]*$/\1/' "$work/contents")$'\n'
tar --extract --to-stdout --file="$work/archive" app_db.dump | (
  . "$here/throwaway.sh" "$work/postgres" "$database" "$role"
  . "$here/restore.sh" "$expected"
) 2>"$said" || fail 1 "it could not be restored: $(last_words)"

archives() { find "$folder" -maxdepth 1 -name '[0-9]*-scheduled-*.plumbline' -printf '%f\n' | sort --numeric-sort; }
last=$(archives | tail -n 1)
last=${last%%-*}
name=$(printf '%04d-scheduled-%s' "$((10#${last:-0} + 1))" "$(date --utc +%Y%m%dT%H%M%SZ)")
sync "$work/archive"
mv "$work/archive" "$name.plumbline"
printf '{"verified_at": "%s", "size": %s}\n' "$(date --utc +%Y-%m-%dT%H:%M:%S+00:00)" "$(stat --format=%s "$name.plumbline")" \
  >"$name.verified"
sync "$folder"
archives | head -n "-$keep" | while IFS= read -r old; do rm -f "$old" "${old%.plumbline}.verified"; done
echo "$folder/$name.plumbline: $(awk -F'\t' '$1 == "table" { rows += $3; n++ } END { print rows " rows in " n " tables" }' \
  "$work/contents"), verified"
