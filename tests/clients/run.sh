#!/usr/bin/env bash
# Runs the tests with real clients against a built binary.
#
#   tests/clients/run.sh [BINARY]      default: the debug binary of this checkout
#
# Makes a virtual environment of its own outside the checkout, and builds `telemetrygen` where Go
# is installed, and the drivers of Java, JavaScript and Go likewise. Needs python3 (3.11 or newer)
# with venv, psql and openssl.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "${here}/../.." && pwd)"

binary="${1:-${CARGO_TARGET_DIR:-${root}/target}/debug/spanledger}"
if [[ ! -x "${binary}" ]]; then
  echo "run.sh: no binary at \`${binary}\`: run \`cargo build --workspace\` first, or name one" >&2
  exit 2
fi
SPANLEDGER_BINARY="$(cd "$(dirname "${binary}")" && pwd)/$(basename "${binary}")"
export SPANLEDGER_BINARY

# One folder per set of requirements, so that a change of them starts afresh.
cache="${XDG_CACHE_HOME:-${HOME}/.cache}/spanledger-clients"
venv="${cache}/$(sha256sum "${here}/requirements.txt" | cut -c1-12)"
if [[ ! -e "${venv}/complete" ]]; then
  python3 -m venv "${venv}"
  "${venv}/bin/pip" install --quiet --disable-pip-version-check -r "${here}/requirements.txt"
  touch "${venv}/complete"
fi

# The Collector's load generator, a client in Go; its test says that it was skipped without it.
telemetrygen=v0.161.0
export SPANLEDGER_GO_BIN="${cache}/telemetrygen-${telemetrygen}"
if [[ ! -x "${SPANLEDGER_GO_BIN}/telemetrygen" ]] && command -v go >/dev/null; then
  GOBIN="${SPANLEDGER_GO_BIN}" timeout 300 go install \
    "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@${telemetrygen}" \
    || echo "run.sh: telemetrygen could not be built; its test will be skipped" >&2
fi

# Drivers in other languages, each in a folder of its own per version of its program; the tests say
# that they were skipped where a toolchain is missing or its registry cannot be reached.
version_of() { cat "$@" | sha256sum | cut -c1-12; }
cannot() { echo "run.sh: $1 could not be built; its test will be skipped" >&2; }

pgjdbc=42.7.8
java="${cache}/java-${pgjdbc}-$(version_of "${here}/java/Client.java")"
if [[ ! -e "${java}/Client.class" ]] && command -v mvn >/dev/null && command -v javac >/dev/null; then
  copy=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy
  timeout 300 mvn -q -B "${copy}" "-Dartifact=org.postgresql:postgresql:${pgjdbc}" \
    "-DoutputDirectory=${java}" && javac -d "${java}" "${here}/java/Client.java" || cannot pgjdbc
fi
if [[ -e "${java}/Client.class" ]]; then
  export SPANLEDGER_JDBC="${java}:${java}/postgresql-${pgjdbc}.jar"
fi

node="${cache}/node-$(version_of "${here}"/node/*)"
if [[ ! -e "${node}/node_modules" ]] && command -v npm >/dev/null; then
  mkdir -p "${node}" && cp "${here}"/node/* "${node}"
  timeout 300 npm ci --silent --no-audit --no-fund --prefix "${node}" || cannot node-postgres
fi
if [[ -e "${node}/node_modules" ]]; then export SPANLEDGER_NODE="${node}"; fi

go="${cache}/go-$(version_of "${here}"/go/*)"
if [[ ! -x "${go}/clients" ]] && command -v go >/dev/null; then
  (cd "${here}/go" && timeout 300 go build -o "${go}/clients" .) || cannot pgx
fi
if [[ -x "${go}/clients" ]]; then export SPANLEDGER_GO="${go}/clients"; fi

cd "${here}"
exec "${venv}/bin/python" -m pytest -q -p no:cacheprovider "${@:2}"
