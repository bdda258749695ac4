#!/usr/bin/env bash
# Fuzzes the envelope's decoder for a while: scripts/fuzz.sh [seconds, 60 unless
# given]. Fails when it finds something; the input is then in
# fuzz/artifacts/envelope/. Installs cargo-fuzz when it is not there.
#
# New inputs go to fuzz/found/, which is not kept. What is worth keeping goes to
# fuzz/corpus/envelope/, which tests/envelope_corpus.rs replays:
#   scripts/fuzz.sh minimise    rewrites that folder with the smallest set of
#                               inputs that covers what both folders cover
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$HOME/.cargo/bin"
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

# Sanitizer flags are unstable; this is what lets a stable compiler take them.
export RUSTC_BOOTSTRAP=1
corpus=fuzz/corpus/envelope
found=fuzz/found/envelope
mkdir -p "$found"

if [ "${1:-}" = minimise ]; then
    smaller=$(mktemp -d)
    trap 'rm -rf "$smaller"' EXIT
    cargo fuzz run envelope "$smaller" "$corpus" "$found" -- -set_cover_merge=1 -max_len=512
    rm -f "$corpus"/*
    cp "$smaller"/* "$corpus"/
    exit
fi
exec cargo fuzz run envelope "$found" "$corpus" -- \
    -max_total_time="${1:-60}" -dict=fuzz/envelope.dict -max_len=4096 -print_final_stats=1
