#!/usr/bin/env bash
# `make soak`: the tests that take minutes. They are in Rust, and marked
# #[ignore].
set -uo pipefail
# shellcheck source=scripts/parts.sh
source "$(dirname "${BASH_SOURCE[0]}")/parts.sh"

soak_rust() {
    if run_build 'rust build' 1500 cargo test --workspace --locked --no-run "${cargo_features[@]}"; then
        each_rust_test 'soak ' 3600 "$(rust_tests)" --ignored
    else
        skip_part 'rust soak tests' 'the build failed'
    fi
}

soak_rust
summary
