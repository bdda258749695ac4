#!/usr/bin/env bash
# Formatters and linters over every language in the tree, warnings being
# errors; all of them run, and the ones that failed are named at the end.
#
#   scripts/lint.sh [--fix]     --fix lays files out instead of checking
#
# clang-format and ruff come pinned from PyPI into build/venv/lint, so that
# everybody's opinion is the same; a tool that cannot be had is skipped, aloud.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
fix=no
[ "${1:-}" = --fix ] && fix=yes

failed=()
skipped=()

check() {
    local name=$1
    shift
    echo "--- $name"
    "$@" </dev/null || failed+=("$name")
}

# It shows what it would change, and no more.
laid_out_as_gofmt_does() {
    local difference
    difference=$(gofmt -d "$@") && [ -z "$difference" ] && return
    echo "$difference"
    return 1
}

# Checked-in files (and new ones that are not ignored) by pattern.
files() {
    git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
        [ -f "$file" ] && echo "$file"
    done
}

if [ "$fix" = yes ]; then
    check rustfmt cargo fmt --all
else
    check rustfmt cargo fmt --all --check
    check clippy cargo clippy --workspace --all-targets --features dividere/cli --locked -- -D warnings
fi

if lint_python=$(scripts/venv.sh lint scripts/lint-requirements.txt); then
    lint_bin=$(dirname "$lint_python")
else
    lint_bin=
fi

# The C header is cbindgen's, and compared with what it makes by a test.
mapfile -t c_files < <(files '*.c' '*.h' '*.cpp' '*.hpp' '*.cc' | grep -v '^include/dividere\.h$')
mapfile -t python_files < <(files '*.py')
mapfile -t go_files < <(files '*.go')
mapfile -t shell_files < <(files '*.sh' '.ci/run')

if [ "${#c_files[@]}" -gt 0 ]; then
    if [ -n "$lint_bin" ]; then
        if [ "$fix" = yes ]; then
            check clang-format "$lint_bin/clang-format" -i "${c_files[@]}"
        else
            check clang-format "$lint_bin/clang-format" --dry-run -Werror "${c_files[@]}"
        fi
    else
        skipped+=("clang-format (pip could not install it)")
    fi
fi

if [ "${#python_files[@]}" -gt 0 ]; then
    if [ -n "$lint_bin" ]; then
        if [ "$fix" = yes ]; then
            check 'ruff format' "$lint_bin/ruff" format -q "${python_files[@]}"
            check ruff "$lint_bin/ruff" check -q --fix "${python_files[@]}"
        else
            check ruff "$lint_bin/ruff" check -q "${python_files[@]}"
            check 'ruff format' "$lint_bin/ruff" format -q --check "${python_files[@]}"
        fi
    else
        skipped+=("ruff (pip could not install it)")
    fi
fi

# `go vet` looks through cgo, and so needs the library: bindings/go/run-tests.sh runs it.
PATH="$PATH:/usr/local/go/bin"
if [ "${#go_files[@]}" -gt 0 ]; then
    if ! command -v gofmt >/dev/null; then
        skipped+=("gofmt (not installed)")
    elif [ "$fix" = yes ]; then
        check gofmt gofmt -w "${go_files[@]}"
    else
        check gofmt laid_out_as_gofmt_does "${go_files[@]}"
    fi
fi

if [ "$fix" = no ]; then
    if command -v shellcheck >/dev/null; then
        check shellcheck shellcheck -x "${shell_files[@]}"
    else
        skipped+=("shellcheck (not installed)")
    fi
fi

echo
for name in "${skipped[@]}"; do echo "lint: skipped $name"; done
if [ "${#failed[@]}" -gt 0 ]; then
    echo "lint: FAILED: ${failed[*]}"
    exit 1
fi
echo "lint: clean"
