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
# The operator's view is in Python, from the wheel around the library that was just built.
if DIVIDERE_LIBRARY=$PWD/$build/lib/libdividere.so bindings/python/build-wheel.sh >>"$log" 2>&1; then
    export TELEMETRY_PYTHON=$PWD/build/python/venv-wheel/bin/python
else
    echo "The Python package could not be installed (see $log): the operator's view is the one in C++."
fi
# What reads /proc is in Go.
agent=$build/examples/telemetry/telemetry_agent
if BUILD=$build scripts/go-build.sh examples/telemetry/agent "$agent" >>"$log" 2>&1; then
    export TELEMETRY_AGENT=$PWD/$agent
else
    echo "The Go publisher could not be built (see $log): the one in C++ takes its place."
fi
echo
exec examples/telemetry/run.sh "$build/examples/telemetry" "${1:-200}"
