#!/usr/bin/env bash
# What CI runs: the lints and the tests, where a test binary that fails is run
# once more, alone. If it passes then, the closing summary says FLAKY with its
# first failure; if it fails twice, so does CI.
set -uo pipefail
retry=yes
# shellcheck source=scripts/parts.sh
source "$(dirname "${BASH_SOURCE[0]}")/parts.sh"

run_build 'lint' 1800 scripts/lint.sh
test_rust
test_native
test_interop
test_matrix
summary
