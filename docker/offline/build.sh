#!/usr/bin/env -S bash -p
# Builds the base images without a container registry, from Debian packages (of this machine's apt sources) and PyPI
# wheels (of its index), and names them in docker/.env, which every build reads.
# Needs root, a Docker engine with buildx, and mmdebstrap: apt-get install mmdebstrap
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
suite=trixie
base=plumbline-offline/base:latest
packages=ca-certificates,python3,python3-venv,redis-server,busybox

fail() {
  printf 'docker/offline/build.sh: %s\n' "$@" >&2
  exit 1
}

command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: apt-get install mmdebstrap"
docker version >/dev/null 2>&1 || fail "no Docker engine answers: start one (.ci/engine start installs one on Debian)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The Debian archive of this machine's apt sources.
# shellcheck disable=SC2016  # apt expands it
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' |
  grep -v -e security -e updates | sort -u | head -n 1)
[ -n "$archive" ] || fail "apt knows of no Debian archive: see /etc/apt/sources.list.d"

if ! docker image inspect "$base" >/dev/null 2>&1 || [ "${1:-}" = --fresh ]; then
  echo "Base image: Debian $suite with $packages ..."
  mmdebstrap --quiet --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$work/base.tar" "$archive"
  docker import "$work/base.tar" "$base" >/dev/null
fi

# In a network that re-signs TLS, the build needs the CA bundle, too.
ca_bundle=${PLUMBLINE_CA_BUNDLE:-${PIP_CERT:-${SSL_CERT_FILE:-/dev/null}}}
: >"$work/env"
for image in python postgres redis caddy; do
  echo "plumbline-offline/$image ..."
  # An attestation would change the image's digest with every build, and rebuild all images based on it.
  docker buildx build --quiet --load --provenance=false --file docker/offline/Dockerfile --target "$image" \
    --build-arg BASE="$base" --secret id=ca_bundle,src="$ca_bundle" \
    --secret id=pip_conf,src="${PLUMBLINE_PIP_CONF:-/dev/null}" --tag "plumbline-offline/$image:latest" . >/dev/null
  echo "PLUMBLINE_${image^^}_IMAGE=plumbline-offline/$image:latest" >>"$work/env"
done
[ "$ca_bundle" = /dev/null ] || echo "PLUMBLINE_CA_BUNDLE=$ca_bundle" >>"$work/env"

# Keep other lines.
touch docker/.env
names=$(sed 's/=.*//' "$work/env" | paste -sd '|')
grep -v -E "^($names)=" docker/.env >>"$work/env" || true
cp "$work/env" docker/.env
echo "Done. docker/.env names the base images; remove its PLUMBLINE_*_IMAGE lines to go back to a registry."
