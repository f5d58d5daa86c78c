# shellcheck shell=bash disable=SC2154
# After connect.sh or throwaway.sh, with digest.sql in `digest`. Replaces the whole database by the dump on stdin, in one
# transaction, which is committed only if the lines of digest.sql, without bytes, are those of $1 afterwards.
expected=$1
coproc SESSION {
  exec psql --dbname="$connection" --no-psqlrc --quiet --no-align --tuples-only --field-separator=$'\t' \
    --set=ON_ERROR_STOP=1
}
session=$SESSION_PID
exec 7<&"${SESSION[0]}" 8>&"${SESSION[1]}"
last_id="SELECT coalesce(max(last_value), 0) AS handed_out FROM pg_sequences
  WHERE (schemaname, sequencename) = ('public', 'events_id_seq')"
# What psql prints before `restored` are results of the dump's own statements, such as setval.
{
  printf '%s\n' '\o /dev/null' 'BEGIN;' 'SET LOCAL lock_timeout = '\''30s'\'';' \
    "$last_id \\gset" 'DROP OWNED BY CURRENT_USER CASCADE;'
  pg_restore --file=- --verbose 7<&-
  printf '%s\n' '\o' "$digest" '\echo restored'
} >&8 || exit 1
found=
while IFS= read -r line <&7; do
  [ "$line" != restored ] || break
  case $line in table*) line=${line%$'\t'*} ;; esac
  found+=$line$'\n'
done
[ "${line:-}" = restored ] || exit 1
if [ "$found" != "$expected" ]; then
  echo "differs" >&2
  diff <(printf %s "$expected") <(printf %s "$found") >&2 || true
  exit 4
fi
# Clients resume after events that the archive does not know. Without events they are told to read the lists again, and no
# id comes back: a new database begins with the milliseconds of the clock, too. Where a clock was set back, the last id of
# the database that is replaced counts.
cat >&8 <<'SQL'
\o /dev/null
SELECT $$ DELETE FROM events $$, format($$ SELECT setval(pg_get_serial_sequence('events', 'id'), greatest(%s,
  nextval(pg_get_serial_sequence('events', 'id')), (extract(epoch FROM now()) * 1000)::bigint)) $$, :handed_out)
WHERE to_regclass('public.events') IS NOT NULL \gexec
\o
SQL
printf '%s\n' 'COMMIT;' '\echo committed' '\q' >&8
read -r line <&7 || exit 1
[ "$line" = committed ] || exit 1
wait "$session"
