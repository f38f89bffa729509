#!/usr/bin/env bash
# Runs the tests with real clients against a built binary.
#
#   tests/clients/run.sh [BINARY]      default: the debug binary of this checkout
#
# Makes a virtual environment of its own outside the checkout, and builds `telemetrygen` where Go
# is installed. Needs python3 (3.11 or newer) with venv, and psql.
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

cd "${here}"
exec "${venv}/bin/python" -m pytest -q -p no:cacheprovider "${@:2}"
