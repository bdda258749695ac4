#!/usr/bin/env bash
# Runs the C and C++ tests of a CMake build tree, $JOBS at once.
#
#   scripts/ctest.sh BUILD                  all of them
#   scripts/ctest.sh BUILD --rerun-failed   of these, what failed last time, one by one
set -euo pipefail
cd "$1"
common=(--output-on-failure --no-tests=error)
case ${2:-} in
--rerun-failed) exec ctest "${common[@]}" --timeout 180 --rerun-failed ;;
*) exec ctest "${common[@]}" --timeout 180 --parallel "${JOBS:-2}" ;;
esac
