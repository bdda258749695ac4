#!/usr/bin/env bash
# `make test`: runs the tests of every language, all of them also when one
# fails, and ends with a list of what failed.
#
#   scripts/test.sh [rust|native|interop|python|go|matrix]...    (all of them unless named)
set -uo pipefail
# shellcheck source=scripts/parts.sh
source "$(dirname "${BASH_SOURCE[0]}")/parts.sh"

[ $# -gt 0 ] || set -- rust native interop python go matrix
for part in "$@"; do
    case $part in
    rust | native | interop | python | go | matrix) "test_$part" ;;
    *)
        echo "usage: scripts/test.sh [rust|native|interop|python|go|matrix]..." >&2
        exit 2
        ;;
    esac
done
summary
