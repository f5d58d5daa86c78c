#!/usr/bin/env bash
# Deploys Plumbline on this machine: finds a Python, makes .venv, hands over to `python -m plumbline`.
# Everything else, --help included, is in there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$here/.venv
lock=$here/requirements/local.txt
stamp=$venv/.installed-from

fail() {
  printf 'deploy-local.sh: %s\n' "$@" >&2
  exit 1
}

find_python() {
  local candidate found=() candidates=(python3 python3.14 python3.13 python3.12 python3.11 python)
  [ -z "${PLUMBLINE_PYTHON:-}" ] || candidates=("$PLUMBLINE_PYTHON")
  for candidate in "${candidates[@]}"; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
    found+=("$("$candidate" --version 2>&1 | head -n 1) ($(command -v "$candidate"))")
  done
  fail "Python 3.11 or newer is needed; found: ${found[*]:-none}." \
    "Install one (Debian: apt-get install python3 python3-venv) or name one: PLUMBLINE_PYTHON=/path/to/python3 $0"
}

install() {
  local python
  python=$(find_python)
  [ -w "$here" ] || fail "$here belongs to somebody else, and .venv in it does not work for this user" \
    "Use a checkout of your own: git clone $here"
  echo "Installing into .venv with $("$python" --version) (only after a change of requirements/) ..."
  rm -rf "$venv"
  "$python" -m venv "$venv" || {
    rm -rf "$venv"
    fail "$python cannot make a virtual environment. On Debian: apt-get install python3-venv"
  }
  export PIP_DISABLE_PIP_VERSION_CHECK=1 # pip's advertisement for itself is no news of ours
  # uv installs the same locked set several times faster; where it cannot (a mirror only pip knows of), pip does it.
  # It is to trust whom this machine trusts, as pip does: a network's own authority is known to no other store.
  if ! { "$venv/bin/python" -m pip install --quiet --require-hashes -r "$here/requirements/bootstrap.txt" &&
    UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true} VIRTUAL_ENV=$venv "$venv/bin/uv" pip install --quiet --require-hashes -r "$lock"; }; then
    echo "uv could not install the packages; trying pip, which takes about a minute longer ..." >&2
    "$venv/bin/python" -m pip install --quiet --require-hashes -r "$lock" ||
      fail "the packages could not be installed: see the lines above. Is a package index reachable (pip config list)?"
  fi
  digest >"$stamp"
}

digest() { cksum "$lock" "$here/requirements/bootstrap.txt" "${BASH_SOURCE[0]}" | cut -d' ' -f1,2; }

# The Python that .venv was made with may be gone since, after an upgrade of the system for instance.
if [ "$(cat "$stamp" 2>/dev/null)" != "$(digest)" ] || [ ! -x "$venv/bin/python" ]; then
  install
fi
export PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH}
exec "$venv/bin/python" -m plumbline "$@"
