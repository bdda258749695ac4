#!/usr/bin/env bash
# `make soak`: the tests that take minutes. In Rust they are marked #[ignore], in
# CMake they have the label soak, in Python the marker soak.
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

soak_native() {
    if ! run_build 'native build' 1800 env BUILD="$test_build" JOBS="$jobs" scripts/build.sh \
        -DDIVIDERE_BUILD_TESTS=ON -DDIVIDERE_BUILD_EXAMPLES=ON; then
        skip_part 'soak c and c++' 'the build failed'
        return
    fi
    run_part 'soak ctest' 3600 scripts/ctest.sh "$test_build" --soak
}

soak_rust
soak_native
summary
