#!/usr/bin/env -S bash -p
# Writes the locked sets: hashes, no download addresses, one resolution for all. Run it after editing an .in file.
set -euo pipefail
cd "$(dirname "$0")"
common=(--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate)
uv pip compile "${common[@]}" "$@" dev.in -o dev.txt
for set in local backend data-processor log-sink baseline nox offline site; do
  uv pip compile "${common[@]}" "$@" --constraint dev.txt "$set.in" -o "$set.txt"
done
# What deploy-local.sh needs first: uv alone, in the same version.
printf 'uv\n' | uv pip compile "${common[@]}" "$@" --constraint nox.txt - -o bootstrap.txt
