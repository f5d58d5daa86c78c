#!/bin/sh
# Health check of a container, and an end to one that hangs: `alive.sh LIMIT QUESTION…`. The engine starts a container again
# that ended, and leaves one that hangs alone. QUESTION ends with 0 (ready), 1 (answers, but cannot do its work now), or
# with more if there is no answer; after LIMIT times of that in a row, everything in the container is killed: ten times
# LIMIT before the first answer.
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
# Postgres does not answer while its start script recovers the database after a crash. To kill it then would begin that
# anew, for ever.
[ -e "$answered" ] || limit=$((limit * 10))
echo >>"$missed"
if [ "$(wc -l <"$missed")" -ge "$limit" ]; then
	kill -9 -1
fi
exit 1
