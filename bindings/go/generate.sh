#!/usr/bin/env bash
# Generates the messages of the tests anew, with protoc and with the generator of the protobuf module in go.mod.
#
#   bindings/go/generate.sh [--check]     --check fails where what is checked in differs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d "${TMPDIR:-/tmp}/dividere-go.XXXXXX")
trap 'rm -rf "$work"' EXIT
go build -o "$work/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
generate() { # FOLDER OUTPUT
    # The version of protoc is a comment in what it writes, and differs between machines.
    protoc --plugin="protoc-gen-go=$work/protoc-gen-go" --proto_path="$1" \
        --go_out="$2" --go_opt=paths=source_relative "$1"/*.proto
    sed -i -E 's|^(// \tprotoc  +)v.*|\1any|' "$2"/*.pb.go
}
folder=internal/testpb
if [ "${1:-}" != --check ]; then
    generate "$folder" "$folder"
    exit
fi
mkdir -p "$work/$folder"
generate "$folder" "$work/$folder"
for made in "$work/$folder"/*.pb.go; do
    diff -u "$folder/$(basename "$made")" "$made" || {
        echo "go: $folder differs from what its .proto files make; run bindings/go/generate.sh" >&2
        exit 1
    }
done
