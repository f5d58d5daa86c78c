#!/bin/sh
# Health check that also kills a hanging container, because the engine restarts only containers that have ended:
# `alive.sh LIMIT COMMAND…`. COMMAND exits with 0 (ready), 1 (answers, but is not ready), or more (no answer). After LIMIT
# checks without an answer in a row (ten times LIMIT before the first answer), everything in the container is killed.
limit=$1
shift
missed=/tmp/plumbline-missed
answered=/tmp/plumbline-answered
timeout 4 "$@"
code=$?
if [ "$code" -le 1 ]; then
	rm -f "$missed"
	: >"$answered"
	exit "$code"
fi
# Postgres does not answer while it recovers after a crash. Killing it then would restart the recovery again and again.
[ -e "$answered" ] || limit=$((limit * 10))
echo >>"$missed"
if [ "$(wc -l <"$missed")" -ge "$limit" ]; then
	kill -9 -1
fi
exit 1
