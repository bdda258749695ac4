#!/usr/bin/env bash
# `make fuzz`: hostile bytes for the envelope's decoder, and for every role over
# real connections, for a while. Fails when something is found; the input is then
# in fuzz/artifacts/.
#
#   scripts/fuzz.sh [seconds] [envelope|zmtp]...   (60 and 120 s, both of them, unless
#                                                   given; SEED= begins with that seed)
#   scripts/fuzz.sh minimise [envelope|zmtp]...
#
# New inputs go to fuzz/found/, which is not kept. What is worth keeping goes to
# fuzz/corpus/, which `make test` replays (tests/envelope_corpus.rs and
# tests/hostile_zmtp.rs): `minimise` rewrites that with the smallest set of inputs
# that covers what both folders cover.
#
# libFuzzer says the seed when it begins. Needs cargo-fuzz, and installs it when it
# is not there; nothing else of it needs the network.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$HOME/.cargo/bin"
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

# Sanitizer flags are unstable; this is what lets a stable compiler take them.
export RUSTC_BOOTSTRAP=1

minimise=no
if [ "${1:-}" = minimise ]; then
    minimise=yes
    shift
fi
seconds=
if [[ "${1:-}" =~ ^[0-9]+$ ]]; then
    seconds=$1
    shift
fi
[ $# -gt 0 ] || set -- envelope zmtp

# fuzz TARGET CARGO_ARGUMENT... -- LIBFUZZER_ARGUMENT...
fuzz() {
    local target=$1 cargo=()
    shift
    while [ "$1" != -- ]; do
        cargo+=("$1")
        shift
    done
    shift
    local corpus=fuzz/corpus/$target found=fuzz/found/$target
    mkdir -p "$found"
    if [ "$minimise" = yes ]; then
        local smaller
        smaller=$(mktemp -d)
        cargo fuzz run "${cargo[@]}" "$target" "$smaller" "$corpus" "$found" -- -set_cover_merge=1 "$@"
        rm -rf "$corpus"
        mv "$smaller" "$corpus"
        chmod 755 "$corpus"
        return
    fi
    cargo fuzz run "${cargo[@]}" "$target" "$found" "$corpus" -- \
        -seed="${SEED:-0}" -dict="fuzz/$target.dict" -print_final_stats=1 "$@"
}

for target in "$@"; do
    case $target in
    envelope)
        if [ "$minimise" = yes ]; then
            fuzz envelope -- -max_len=512
        else
            fuzz envelope -- -max_total_time="${seconds:-60}" -max_len=4096
        fi
        ;;
    zmtp)
        # libzmq is gcc's to instrument, and lends libFuzzer its branches through
        # coverage.c. libsodium's build makes code that cannot be instrumented.
        # Leaks are valgrind's part (scripts/sanitize.sh).
        (
            export CXXFLAGS='-fsanitize=address -fsanitize-coverage=trace-pc -g -O1'
            export CFLAGS=-fno-sanitize=all
            export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16:${ASAN_OPTIONS:-}
            # Handshakes that nobody ends cost as long as a deadline: 60 s are a hang.
            fuzz zmtp --features zmtp -- -max_total_time="${seconds:-120}" -max_len=8192 \
                -timeout=60 -rss_limit_mb=4096 -detect_leaks=0
        )
        ;;
    *)
        echo "usage: scripts/fuzz.sh [minimise] [seconds] [envelope|zmtp]..." >&2
        exit 2
        ;;
    esac
done
