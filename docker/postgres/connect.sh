# shellcheck shell=bash
# Sourced by scripts that run beside Postgres: sets `connection` to the connection string of the application's role.
# Arguments: the file with the password, host, port, database, role; they are shifted away.
#
# The password goes into a file that is deleted at once and stays readable through a descriptor only: it is in no
# environment and no command line, and nothing is left behind if this is killed.
set -euo pipefail
umask 077

secret=$1 host=$2 port=$3 database=$4 role=$5
shift 5
[ -r "$secret" ] || { echo "the password file $secret cannot be read" >&2; exit 78; }
# Like `servicekit.secrets.read_secret`: removes a byte order mark, and white space at both ends.
password=$(<"$secret")
password=${password#$'\xef\xbb\xbf'}
password=${password#"${password%%[![:space:]]*}"}
password=${password%"${password##*[![:space:]]}"}
password=${password//\\/\\\\}
passfile=$(mktemp)
printf '*:*:*:*:%s\n' "${password//:/\\:}" >"$passfile"
exec 9<"$passfile"
rm "$passfile"
unset password secret passfile
connection="host=$host port=$port dbname=$database user=$role passfile=/proc/self/fd/9 application_name=plumbline"
connection+=" connect_timeout=10 options='-c idle_in_transaction_session_timeout=0'"
