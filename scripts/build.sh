#!/usr/bin/env bash
# Configures and builds the CMake tree in $BUILD (build/cmake unless set) with
# $JOBS compilers at once. Arguments go to cmake's configuration.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${BUILD:-build/cmake}
mkdir -p "$build"
# A make above us has its own jobs and flags, which are not meant for this one.
unset MAKEFLAGS MFLAGS MAKELEVEL
if ! cmake -S . -B "$build" "$@" >"$build/configure.log" 2>&1; then
    cat "$build/configure.log" >&2
    exit 1
fi
cmake --build "$build" --parallel "${JOBS:-2}"
