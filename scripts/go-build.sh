#!/usr/bin/env bash
# Builds the Go programs of one folder, a module of its own, with the library of a CMake build tree in each of them.
#
#   scripts/go-build.sh FOLDER OUTPUT [PACKAGE]...
#
# OUTPUT is the program, or with several packages a folder. BUILD names the build tree (build/test unless set).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH="$PATH:/usr/local/go/bin"
scripts/go-version.sh >/dev/null || {
    scripts/go-version.sh >&2 || true
    exit 1
}
build=$(cd "${BUILD:-build/test}" && pwd)
folder=$1
case $2 in /*) output=$2 ;; *) output=$PWD/$2 ;; esac
shift 2
export PKG_CONFIG_PATH="$build/pkgconfig" GOFLAGS="${GOFLAGS:-} -p=${JOBS:-2}"
. scripts/go-environment.sh
cd "$folder"
exec go build -tags dividere_static -o "$output" "${@:-.}"
