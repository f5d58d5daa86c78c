#!/bin/sh
# Redis with one user, which has the password of the secret file and the rights that the services need.
#   redis.sh [ARGUMENTS]   starts Redis; the arguments go to redis-server
#   redis.sh probe         exit code 0: Redis answers, 1: it answers with an error, 2: no answer
#   redis.sh tell FILE     writes the password in the format of redis_exporter
#   redis.sh accept HASH   also accepts the password with this SHA-256
#   redis.sh only HASH     accepts only that password
set -eu
secret=${PLUMBLINE_REDIS_PASSWORD_FILE:?}
# The password of the user `keeper`, who may do nothing but change the services' password. It is new at every start.
keeper_file=${PLUMBLINE_REDIS_KEEPER_FILE:-/tmp/redis-keeper}

fail() {
  echo "redis: $*" >&2
  exit 78
}

case ${1:-} in
  accept) rule="#${2:?}" ;;
  only) rule="resetpass #${2:?}" ;;
  *) rule= ;;
esac
if [ -n "$rule" ]; then
  said=$(printf 'AUTH keeper "%s"\nACL SETUSER default %s\n' "$(cat "$keeper_file")" "$rule" | redis-cli 2>&1)
  [ "$said" = "$(printf 'OK\nOK')" ] || fail "the password was not changed: $said"
  exit 0
fi

[ -r "$secret" ] || fail "secret file $secret is missing, or user $(id -u) may not read it"
# Like `servicekit.secrets.read_secret`: removes a byte order mark, and white space at both ends.
export LC_ALL=C
[ "$(tr -d '\000' <"$secret" | wc -c)" -eq "$(wc -c <"$secret")" ] ||
  fail "secret file $secret looks like UTF-16: save it as UTF-8"
password=$(cat "$secret")
password=${password#"$(printf '\357\273\277')"}
password=${password#"${password%%[![:space:]]*}"}
password=${password%"${password##*[![:space:]]}"}
[ -n "$password" ] || fail "secret file $secret is empty: delete it, a new one is generated at the next deployment"
[ "$(printf %s "$password" | tr -d '\r\n' | wc -c)" -eq "$(printf %s "$password" | wc -c)" ] ||
  fail "secret file $secret has more than one line: write only the value"

quoted=$(printf %s "$password" | sed 's/["\\]/\\&/g')
if [ "${1:-}" = tell ]; then
  printf '{"%s": "%s"}\n' "${PLUMBLINE_REDIS_URL:?}" "$quoted" >"$2"
  exit 0
fi
if [ "${1:-}" = probe ]; then
  # On stdin, so that the password is in no command line.
  said=$(printf 'AUTH "%s"\nPING\n' "$quoted" | redis-cli 2>&1)
  case $said in
    *WRONGPASS*) said="Redis refuses the password in $secret: it was started with another one" ;;
    *PONG*) exit 0 ;;
    *"Could not connect"*) echo "redis: $said" >&2 && exit 2 ;;
  esac
  echo "redis: $said" >&2
  exit 1
fi

command -v sha256sum >/dev/null || sha256sum() { shasum -a 256; }
hash=$(printf %s "$password" | sha256sum)
keeper=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
rm -f "$keeper_file"
(umask 077 && printf %s "$keeper" >"$keeper_file") || fail "$keeper_file cannot be written"
keeper_hash=$(printf %s "$keeper" | sha256sum)
unset password quoted keeper
# Rights: data commands on our own keys and channel, and the recorder's script; no administration. Passed on stdin, so
# that the password hash is in no file.
exec "${PLUMBLINE_REDIS_SERVER:-redis-server}" "$(dirname "$0")/redis.conf" "$@" - <<USER
user default on #${hash%% *} resetkeys ~logs:recent ~logs:recent:* ~plumbline:* resetchannels &plumbline:events -@all +@read +@write +@pubsub +@transaction +@connection -@admin -@dangerous -scan -randomkey +evalsha +script|load +client|setname +info +time
user keeper on #${keeper_hash%% *} resetkeys resetchannels -@all +@connection +acl|setuser
USER
