#!/usr/bin/env bash
# Builds the Go examples with the library of a CMake build tree (BUILD, build/test unless set), and runs each: all have to
# end by themselves, with success.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
programs=${BUILD:-build/test}/examples/go
names=(publish_subscribe request_response dealer proxy load_balancing reactor registry service)
mkdir -p "$programs"
scripts/go-build.sh examples/go "$programs/" "${names[@]/#/./}"
for name in "${names[@]}"; do
    echo "--- $name"
    timeout 60 "$programs/$name"
done
