# shellcheck shell=bash disable=SC2154
# After connect.sh or throwaway.sh, with digest.sql in `digest`. Writes the database to stdout, as of one moment: the
# lines of digest.sql, a line `dump`, the dump in Postgres's custom format, and `end of the dump`, so that the reader sees
# whether it got all of it. pg_dump's progress goes to stderr.
coproc SESSION {
  exec psql --dbname="$connection" --no-psqlrc --quiet --no-align --tuples-only --field-separator=$'\t' \
    --set=ON_ERROR_STOP=1
}
exec 7<&"${SESSION[0]}" 8>&"${SESSION[1]}"
printf '%s\n' 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;' 'SELECT pg_export_snapshot();' >&8
read -r snapshot <&7 || exit 1
printf '%s\n%s\n' "$digest" '\echo dump' >&8
while read -r line <&7; do
  printf '%s\n' "$line"
  [ "$line" != dump ] || break
done
[ "${line:-}" = dump ] || exit 1
pg_dump --dbname="$connection" --format=custom --snapshot="$snapshot" --verbose 7<&- 8>&-
printf '\nend of the dump\n'
exec 8>&-
