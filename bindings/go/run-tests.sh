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
export PKG_CONFIG_PATH=${pc%/*}
LD_LIBRARY_PATH=$(cd "${pc%/*}/.." && pwd)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
. scripts/go-environment.sh
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
echo "--- the sample of the README, as a module of its own"
work=$(mktemp -d "${TMPDIR:-/tmp}/dividere-go.XXXXXX")
trap 'rm -rf "$work"' EXIT
# sample LANGUAGE: the first block of that language
sample() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$root/README.md" | sed '1d;/^```$/,$d'; }
mkdir -p "$work/program/reading"
sample proto >"$work/reading.proto"
sample go >"$work/program/main.go"
go build -o "$work/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
protoc --plugin="protoc-gen-go=$work/protoc-gen-go" --proto_path="$work" --go_out="$work/program/reading" \
    --go_opt=paths=source_relative,Mreading.proto=example.com/program/reading "$work/reading.proto"
sed -e 's|^module .*|module example.com/program|' go.mod >"$work/program/go.mod"
cp go.sum "$work/program/go.sum"
cd "$work/program"
go mod edit -require=example.com/dividere@v0.0.0 -replace="example.com/dividere=$here"
[ "$(timeout 60 go run .)" = cpu ] || {
    echo "go: the sample does not say 'cpu'" >&2
    exit 1
}
echo "--- the same, with nothing shared at all"
if printf 'int main() {}' | c++ -static -x c++ - -o "$work/static" 2>"$work/log"; then
    env -u LD_LIBRARY_PATH go build -tags dividere_static,netgo,osusergo \
        -ldflags '-linkmode external -extldflags -static' -o "$work/whole" . 2>"$work/log" || {
        cat "$work/log" >&2
        exit 1
    }
    [ "$(env -u LD_LIBRARY_PATH timeout 60 "$work/whole")" = cpu ] || {
        echo "go: the sample that was linked statically does not say 'cpu'" >&2
        exit 1
    }
    if readelf -d "$work/whole" | grep NEEDED; then
        echo "go: it needs shared libraries" >&2
        exit 1
    fi
else
    echo "skipped: the system has no static C and C++ libraries"
fi
