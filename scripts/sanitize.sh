#!/usr/bin/env bash
# `make sanitize`: the tests under tools that see what a plain run does not.
#
#   scripts/sanitize.sh [address|thread|valgrind]...    (all of them unless named)
#
# address   the Rust tests, with libzmq, under AddressSanitizer (libsodium's build
#           makes code that cannot be linked with it, and stays plain). Leaks are
#           valgrind's part: tests that fork or exit in the middle leak on purpose.
# thread    the Rust tests, with libzmq and Rust's standard library (whose source
#           is rustup's component rust-src), under ThreadSanitizer: it has to see
#           every lock, or it tells of races that are none. scripts/tsan.supp names
#           what is not to be told, and why.
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

# The slow are given more time than in `make test`.
limit=1200

# build_rust KIND RUSTFLAGS CXXFLAGS [CARGO_ARGUMENT]...; then `list` holds the tests
build_rust() {
    local kind=$1
    # CXXFLAGS is for libzmq. CFLAGS is for libsodium, and comes after the -fsanitize
    # that the crates' build scripts take from RUSTFLAGS.
    export RUSTFLAGS=$2 CXXFLAGS=$3 CFLAGS=-fno-sanitize=all
    export CARGO_TARGET_DIR=$root/build/sanitize-$kind
    # With --target, build scripts and macros, which run on the host, stay plain.
    cargo_arguments=(--target "$host" "${@:4}")
    if run_build "$kind build" 1800 cargo test --workspace --locked --no-run \
        "${cargo_arguments[@]}"; then
        list=$(rust_tests)
    else
        list=
        skip_part "$kind" 'the build failed'
    fi
    cargo_arguments=()
    unset RUSTFLAGS CXXFLAGS CFLAGS CARGO_TARGET_DIR
    [ -n "$list" ]
}

# The tests of `list` with one of these names, or with none of them.
tests_named() { grep -E "^rust ($1)"$'\t' <<<"$list"; }
tests_not_named() { grep -vE "^rust ($1)"$'\t' <<<"$list"; }

sanitize_address() {
    build_rust address '-Zsanitizer=address' '-fsanitize=address -g' || return
    local options=detect_leaks=0:${ASAN_OPTIONS:-}
    # What was freed is kept aside, to see it used, and so are the stacks of functions
    # that returned. Two tests are run without: the one measures the memory that is
    # used; in the other a process forks while its other threads free memory, and its
    # child waits for ever for the lock of what was kept aside, which the sanitizer
    # does not mind at a fork. Two that count what malloc and the system are asked for
    # are left out.
    local not_kept=limits\|forking
    ASAN_OPTIONS=$options:detect_stack_use_after_return=1:quarantine_size_mb=16 \
        each_rust_test 'address ' "$limit" "$(tests_not_named "$not_kept|allocations|blocks")"
    ASAN_OPTIONS=$options:quarantine_size_mb=0:thread_local_quarantine_size_kb=0:detect_stack_use_after_return=0 \
        each_rust_test 'address ' "$limit" "$(tests_named "$not_kept")"
}

# Rust's standard library as source, which rustup has.
has_rust_source() {
    [ -f "$(rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]
}

sanitize_thread() {
    has_rust_source || { command -v rustup >/dev/null && rustup component add rust-src; }
    if ! has_rust_source; then
        skip_part thread 'it needs the source of the standard library: rustup component add rust-src'
        return
    fi
    # dividere_tsan: fences that the sanitizer does not know stay out (connection/asymmetric.rs).
    build_rust thread '-Zsanitizer=thread --cfg dividere_tsan' '-fsanitize=thread -g' -Zbuild-std || return
    # Stack traces of panics that are meant take seconds each to look up here.
    export RUST_BACKTRACE=0
    # A program may end in a signal's handler, or while its threads run: tests/exit.rs.
    local options=die_after_fork=0:report_signal_unsafe=0:report_thread_leaks=0
    export TSAN_OPTIONS=suppressions=$root/scripts/tsan.supp:$options:${TSAN_OPTIONS:-}
    # Threads in the child of a process that had threads are more than the sanitizer
    # can do: it hangs, or finds no record of them. The others have limits of time, or
    # of memory, that do not hold where everything takes ten times as much.
    local skip=() name
    for name in forking_works_while_other_threads_send_receive_and_close \
        handles_with_threads_are_dropped_in_a_child_that_has_threads_of_its_own \
        in_a_forked_child_it_is_forked_and_the_parent_goes_on \
        a_hundred_thousand_names_are_listed_completely_and_in_order \
        doing_nothing_costs_next_to_nothing \
        a_publisher_loses_nothing_at_exit a_dealer_loses_nothing_at_exit \
        a_thousand_handles_leave_nothing_behind \
        thousands_of_subscriptions_all_arrive_also_after_a_restart \
        memory_of_large_messages_is_used_again_and_bounded; do
        skip+=(--skip "$name")
    done
    each_rust_test 'thread ' "$limit" "$list" "${skip[@]}"
    unset RUST_BACKTRACE TSAN_OPTIONS
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
