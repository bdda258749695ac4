#!/usr/bin/env bash
# Runs the C and C++ tests of a CMake build tree, $JOBS at once; with
# --rerun-failed, those that failed last time, one at a time.
#
#   scripts/ctest.sh BUILD [--rerun-failed]
set -euo pipefail
cd "$1"
shift
parallel=${JOBS:-2}
if [ "${1:-}" = --rerun-failed ]; then
    parallel=1
fi
exec ctest --output-on-failure --timeout 180 --no-tests=error --parallel "$parallel" "$@"
