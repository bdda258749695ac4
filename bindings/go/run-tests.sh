#!/usr/bin/env bash
# Runs the tests of the Go binding as a user of it would, against an installed copy of the library: shared and under the
# race detector, with the garbage collector running all the time, and linked statically.
#
#   bindings/go/run-tests.sh [ARGUMENT OF go test]...
#
# BUILD names a built CMake tree (build/test unless set); its copy is installed to build/go. DIVIDERE_PYTHON22 names the
# interpreter of an environment that has the Python dividere 2.2.0, for the tests that speak with it; without it they are
# skipped, and say so.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
unset DESTDIR MAKEFLAGS MFLAGS MAKELEVEL
prefix=$root/build/go/installed
rm -rf "$prefix"
cmake --install "${BUILD:-build/test}" --prefix "$prefix" >"$root/build/go-install.log" || {
    cat "$root/build/go-install.log" >&2
    exit 1
}
pc=$(find "$prefix" -name dividere.pc)
export PKG_CONFIG_PATH=${pc%/*} GOTOOLCHAIN=local
LD_LIBRARY_PATH=$(cd "${pc%/*}/.." && pwd)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
# go gives the linker what it has to know of a position-independent gcc only where CC is one word.
case ${CC:-} in *\ *) export CC=gcc ;; esac
case ${CXX:-} in *\ *) export CXX=g++ ;; esac
cd "$here"

echo "--- what is generated is up to date"
./generate.sh --check
echo "--- go vet"
go vet ./...
go vet -tags dividere_static ./...
echo "--- go test -race"
go test -race -count=1 -timeout 300s "$@" ./...
echo "--- go test, collecting garbage all the time"
GOGC=1 GODEBUG=cgocheck=1 go test -count=1 -timeout 300s "$@" .
echo "--- go test, linked statically, against no shared library"
env -u LD_LIBRARY_PATH go test -tags dividere_static -count=1 -timeout 300s "$@" .
