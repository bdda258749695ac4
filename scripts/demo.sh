#!/usr/bin/env bash
# `make demo`: builds the examples and runs the telemetry one, on this machine's
# own readings.
#
#   scripts/demo.sh [READINGS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/test
mkdir -p "$build"
log=$build/demo.log
echo "Building (the first time takes a few minutes; the log is $log) ..."
if ! BUILD=$build scripts/build.sh -DDIVIDERE_BUILD_EXAMPLES=ON >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    exit 1
fi
echo
exec examples/telemetry/run.sh "$build/examples/telemetry" "${1:-200}"
