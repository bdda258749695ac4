#!/usr/bin/env bash
# `make sanitize`: the tests under tools that see what a plain run does not.
#
#   scripts/sanitize.sh [address|thread|valgrind]...    (all of them unless named)
#
# address   the Rust tests, with libzmq, under AddressSanitizer (libsodium's build
#           makes code that cannot be linked with it, and stays plain). Leaks are
#           valgrind's part: tests that fork or exit in the middle leak on purpose.
# thread    the Rust tests under ThreadSanitizer; known false alarms of parts
#           that are not compiled for it are listed in scripts/tsan.supp
# valgrind  the C and C++ tests under valgrind's memcheck, over the library as
#           it is shipped
set -uo pipefail
# shellcheck source=scripts/parts.sh
source "$(dirname "${BASH_SOURCE[0]}")/parts.sh"

# The command is safe code over the same library.
cargo_features=()

# Sanitizer flags are unstable; this is what lets a stable compiler take them.
export RUSTC_BOOTSTRAP=1
host=$(rustc -vV | sed -n 's/^host: //p')

# sanitize_rust KIND RUSTFLAGS CXXFLAGS
sanitize_rust() {
    local kind=$1
    # The crates' build scripts take -fsanitize from RUSTFLAGS; this comes after it.
    export RUSTFLAGS=$2 CXXFLAGS=$3 CFLAGS=-fno-sanitize=all
    export CARGO_TARGET_DIR=$root/build/sanitize-$kind
    # With --target, build scripts and macros, which run on the host, stay plain.
    cargo_arguments=(--target "$host")
    if run_build "$kind build" 1800 cargo test --workspace --locked --no-run \
        "${cargo_arguments[@]}"; then
        each_rust_test "$kind " 1200 "$(rust_tests)"
    else
        skip_part "$kind" 'the build failed'
    fi
    cargo_arguments=()
    unset RUSTFLAGS CXXFLAGS CFLAGS CARGO_TARGET_DIR
}

sanitize_address() {
    export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1:quarantine_size_mb=16:${ASAN_OPTIONS:-}
    sanitize_rust address '-Zsanitizer=address' '-fsanitize=address -g'
}

sanitize_thread() {
    export TSAN_OPTIONS="suppressions=$root/scripts/tsan.supp:halt_on_error=0:${TSAN_OPTIONS:-}"
    sanitize_rust thread '-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer' ''
}

sanitize_valgrind() {
    if ! command -v valgrind >/dev/null; then
        skip_part valgrind 'valgrind is not installed'
        return
    fi
    if ! run_build 'valgrind build' 1800 env BUILD="$test_build" JOBS="$jobs" scripts/build.sh \
        -DDIVIDERE_BUILD_TESTS=ON -DDIVIDERE_BUILD_EXAMPLES=ON; then
        skip_part valgrind 'the build failed'
        return
    fi
    run_part valgrind 3600 python3 scripts/valgrind.py "$test_build"
}

[ $# -gt 0 ] || set -- address thread valgrind
for kind in "$@"; do
    case $kind in
    address | thread | valgrind) "sanitize_$kind" ;;
    *)
        echo "usage: scripts/sanitize.sh [address|thread|valgrind]..." >&2
        exit 2
        ;;
    esac
done
summary
