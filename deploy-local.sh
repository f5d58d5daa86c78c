#!/usr/bin/env -S bash -p
# Deploys Plumbline on this machine: finds a Python, creates .venv, and runs plumbline/__main__.py (see --help).
#
# Only code of this checkout may run: bash -p ignores BASH_ENV and the functions of the caller's shell; python -I ignores
# PYTHON* variables, the current folder and packages in the user's home.
set -euo pipefail
unset CDPATH "${!PYTHON@}" PIP_PREFIX PIP_ROOT PIP_TARGET PIP_USER UV_PREFIX UV_PYTHON UV_SYSTEM_PYTHON UV_TARGET

absolute_folders() { # of $PATH
  local folder found=() IFS=:
  for folder in $PATH; do
    [[ $folder != /* ]] || found+=("$folder")
  done
  printf '%s' "${found[*]}"
}
PATH=$(absolute_folders)

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
venv=$here/.venv
lock=$here/requirements/local.txt
ours=$venv/.made-by-deploy-local
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
    if "$candidate" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
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
  [ -w "$here" ] || fail "$here is not writable by this user, and its .venv has to be created" \
    "Use a checkout of your own: git clone $here"
  echo "Installing into .venv with $("$python" --version): its first time, or new requirements"
  if [ -e "$venv" ] && [ ! -e "$stamp" ] && [ ! -e "$ours" ]; then
    fail "$venv was not created by this script: move it away, then run the same command again"
  fi
  rm -rf "$venv"
  mkdir "$venv"
  touch "$ours"
  "$python" -I -m venv "$venv" || {
    rm -rf "$venv"
    fail "$python cannot create a virtual environment. On Debian: apt-get install python3-venv"
  }
  export PIP_DISABLE_PIP_VERSION_CHECK=1 # no notice of a new pip
  # uv installs the same locked set several times faster; pip is the fallback, such as for a mirror that only pip knows.
  # uv shall trust the system's certificates, like pip, and not read uv.toml of the caller's folder.
  if ! { "$venv/bin/python" -I -m pip install --quiet --require-hashes -r "$here/requirements/bootstrap.txt" &&
    UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true} VIRTUAL_ENV=$venv "$venv/bin/uv" --directory "$here" pip install --quiet --require-hashes -r "$lock"; }; then
    echo "uv could not install the packages; trying pip, which takes about a minute longer ..." >&2
    "$venv/bin/python" -I -m pip install --quiet --require-hashes -r "$lock" ||
      fail "the packages could not be installed: see the lines above. Is a package index reachable (pip config list)?"
  fi
  digest >"$stamp"
}

digest() { cksum "$lock" "$here/requirements/bootstrap.txt" "${BASH_SOURCE[0]}" | cut -d' ' -f1,2; }

# The Python of .venv may be gone, such as after an upgrade of the system.
if [ "$(cat "$stamp" 2>/dev/null)" != "$(digest)" ] || [ ! -x "$venv/bin/python" ]; then
  install
fi
exec "$venv/bin/python" -I "$here/plumbline/__main__.py" "$@"
