#!/usr/bin/env bash
# Runs the C and C++ tests of a CMake build tree, $JOBS at once.
#
#   scripts/ctest.sh BUILD                  all but those that take minutes
#   scripts/ctest.sh BUILD --rerun-failed   of these, what failed last time, one by one
#   scripts/ctest.sh BUILD --soak           those that take minutes, one by one
set -euo pipefail
cd "$1"
common=(--output-on-failure --no-tests=error)
case ${2:-} in
--soak) exec ctest "${common[@]}" --label-regex '^soak$' --timeout 1800 ;;
--rerun-failed) exec ctest "${common[@]}" --label-exclude '^soak$' --timeout 180 --rerun-failed ;;
*) exec ctest "${common[@]}" --label-exclude '^soak$' --timeout 180 --parallel "${JOBS:-2}" ;;
esac
