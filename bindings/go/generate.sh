#!/usr/bin/env bash
# Generates the Go code of messages anew, with protoc and with the generator of the protobuf module in go.mod: those of the
# tests, of the peer of the matrix, of the examples and of the benchmarks.
#
#   bindings/go/generate.sh [--check]     --check fails where what is checked in differs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d "${TMPDIR:-/tmp}/dividere-go.XXXXXX")
trap 'rm -rf "$work"' EXIT
go build -o "$work/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go

# generate OUTPUT_FOLDER IMPORT_PATH PROTO...
generate() {
    local folder=$1 import=$2 proto made options=()
    shift 2
    mkdir -p "$work/out"
    for proto in "$@"; do
        options+=(--go_opt="M$(basename "$proto")=$import")
    done
    # The version of protoc is a comment in what it writes, and differs between machines.
    for proto in "$@"; do
        protoc --plugin="protoc-gen-go=$work/protoc-gen-go" --proto_path="$(dirname "$proto")" \
            --go_out="$work/out" --go_opt=paths=source_relative "${options[@]}" "$proto"
        made=$work/out/$(basename "$proto" .proto).pb.go
        sed -i -E 's|^(// \tprotoc  +)v.*|\1any|' "$made"
        if [ "$check" = no ]; then
            mkdir -p "$folder"
            cp "$made" "$folder/"
        elif ! diff -u "$folder/$(basename "$made")" "$made"; then
            echo "go: $folder differs from what its .proto files make; run bindings/go/generate.sh" >&2
            exit 1
        fi
    done
}

check=no
[ "${1:-}" != --check ] || check=yes
root=../..
generate internal/testpb example.com/dividere/internal/testpb internal/testpb/*.proto
matrix=$root/tests/matrix
generate $matrix/peer_go/matrixpb example.com/dividere-matrix/matrixpb $matrix/matrix.proto
generate $matrix/peer_go/telemetrypb example.com/dividere-matrix/telemetrypb $root/tests/vectors/telemetry.proto
generate $root/examples/telemetry/agent/telemetrypb example.com/telemetry-agent/telemetrypb $root/examples/telemetry/telemetry.proto
generate $root/benches/go/benchpb example.com/dividere-bench/benchpb $root/benches/proto/bench.proto
generate $root/examples/go/examplepb example.com/dividere-examples/examplepb $root/examples/proto/example.proto
