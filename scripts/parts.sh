#!/usr/bin/env bash
# The parts of `make test`, and running one of them: a name, a time limit and a
# command. Sourced by scripts/test.sh and others. A part that hangs is a failure
# with a name.
#
# With retry=yes in the environment, as in CI, a failed part is tried a second
# time, alone, with the arguments in retry_with added to its command.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1

# Found also where a login shell has not told PATH of it.
export HOME="${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}"
case ":$PATH:" in
*":$HOME/.cargo/bin:"*) ;;
*) PATH="$PATH:$HOME/.cargo/bin" ;;
esac
# Go, where its own archive or a distribution's package of one version put it.
for go_bin in /usr/local/go/bin /usr/lib/go-1.2[3-9]/bin; do
    if [ -x "$go_bin/go" ] && ! command -v go >/dev/null; then PATH="$PATH:$go_bin"; fi
done
export PATH

jobs=${JOBS:-2}
export CARGO_BUILD_JOBS=${CARGO_BUILD_JOBS:-$jobs}
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
test_build=build/test
logs=build/logs
retry=${retry:-no}
retry_with=()
cargo_arguments=()
# The command is a feature of its own, which not everybody builds.
cargo_features=(--features dividere/cli)
passed=()
failed=()
flaky=()
# What this machine lacks the tools for.
skipped=()

mkdir -p "$logs"

now() { date +%s; }

# run_once LOG LIMIT_SECONDS COMMAND...
run_once() {
    local log=$1 limit=$2 status
    shift 2
    timeout --kill-after=20 "$limit" "$@" </dev/null 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        echo "*** did not end within $limit s" | tee -a "$log"
    fi
    return "$status"
}

# run_part NAME LIMIT_SECONDS COMMAND...
# Builds are never tried twice: name them run_build.
run_part() {
    local name=$1 limit=$2 log started
    shift 2
    log=$logs/${name//[^A-Za-z0-9_.-]/_}.log
    started=$(now)
    echo
    echo "=== $name: $*"
    if run_once "$log" "$limit" "$@"; then
        passed+=("$name")
        echo "=== $name: passed ($(($(now) - started)) s)"
        return 0
    fi
    if [ "$retry" = yes ]; then
        mv "$log" "$log.first"
        echo "=== $name: FAILED; once more, alone"
        if run_once "$log" "$limit" "$@" "${retry_with[@]}"; then
            passed+=("$name")
            flaky+=("$name")
            echo "=== $name: passed the second time ($(($(now) - started)) s)"
            return 0
        fi
    fi
    failed+=("$name")
    echo "=== $name: FAILED ($(($(now) - started)) s)"
    return 1
}

run_build() {
    local keep=$retry status=0
    retry=no
    run_part "$@" || status=1
    retry=$keep
    return "$status"
}

# A part that could not even be started because its build failed.
skip_part() {
    failed+=("$1 (not run: $2)")
    echo
    echo "=== $1: FAILED, not run: $2"
}

# Builds the Rust tests, with the further arguments in cargo_arguments, and prints
# them one a line: NAME, a tab, the folder of its package, a tab, the test binary. They are run
# without cargo, which builds anew when it is asked for one package's tests alone,
# because that package alone may need fewer features of a dependency.
rust_tests() {
    cargo test --workspace --locked --no-run --message-format=json \
        "${cargo_features[@]}" "${cargo_arguments[@]}" | python3 -c '
import json, os, sys
found = []
for line in sys.stdin:
    message = json.loads(line)
    if message["reason"] != "compiler-artifact" or not message.get("executable"):
        continue
    if not message["profile"]["test"]:
        continue
    target = message["target"]
    package = os.path.dirname(message["manifest_path"])
    kinds = target["kind"]
    kind = "" if "test" in kinds else "example " if "example" in kinds else "lib " if "lib" in kinds[0] else "bin "
    order = (["lib ", "bin ", "", "example "].index(kind), target["name"])
    found.append((order, "rust %s%s" % (kind, target["name"]), package, message["executable"]))
for order, name, package, executable in sorted(found):
    print(name, package, executable, sep="\t")
'
}

# each_rust_test PREFIX LIMIT_SECONDS LIST [ARGUMENT...]: runs what rust_tests listed
each_rust_test() {
    local prefix=$1 limit=$2 list=$3 name package executable
    shift 3
    if [ -z "$list" ]; then
        skip_part "${prefix}rust tests" 'cargo listed none'
        return
    fi
    while IFS=$'\t' read -r name package executable <&3; do
        run_part "$prefix$name" "$limit" \
            env -C "$package" CARGO_MANIFEST_DIR="$package" "$executable" -q "$@"
    done 3<<<"$list"
}

test_rust() {
    if ! run_build 'rust build' 1500 cargo test --workspace --locked --no-run \
        "${cargo_features[@]}"; then
        skip_part 'rust tests' 'the build failed'
        return
    fi
    each_rust_test '' 420 "$(rust_tests)"
    run_part 'rust doc' 420 cargo test --workspace --locked -q --doc \
        "${cargo_features[@]}"
}

# Builds the libraries, the C and C++ tests and the examples in $test_build.
test_native() {
    if ! run_build 'native build' 1800 env BUILD="$test_build" JOBS="$jobs" scripts/build.sh \
        -DDIVIDERE_BUILD_TESTS=ON -DDIVIDERE_BUILD_EXAMPLES=ON; then
        skip_part 'c and c++ tests' 'the build failed'
        skip_part 'installed copy' 'the build failed'
        return
    fi
    if [ -f tests/CMakeLists.txt ]; then
        retry_with=(--rerun-failed)
        run_part 'ctest' 1500 scripts/ctest.sh "$test_build"
        retry_with=()
    fi
    run_part 'installed copy' 900 env BUILD="$test_build" tests/install/run.sh
}

test_interop() {
    local python
    if [ -z "$(find tests -name 'test_*.py' -print -quit 2>/dev/null)" ]; then
        return
    fi
    if ! python=$(tests/interop/setup.sh); then
        skip_part 'pytest' 'the environment could not be made, see above'
        return
    fi
    retry_with=(--last-failed)
    run_part 'pytest' 900 env BUILD="$test_build" "$python" -m pytest -q \
        -o cache_dir="$root/build/pytest" tests
    retry_with=()
}

# The Python binding, from its wheel, with python3 and with every other CPython from
# 3.9 on that is here.
test_python() {
    local python22 python version
    python22=$(tests/interop/setup.sh) || python22=dividere-2.2.0-could-not-be-installed
    if ! run_build 'python wheel' 1500 bindings/python/build-wheel.sh; then
        skip_part 'python' 'the wheel could not be built'
        return
    fi
    retry_with=(--last-failed)
    while read -r version python; do
        run_part "python $version" 420 env DIVIDERE_PYTHON22="$python22" \
            bindings/python/run-tests.sh --python "$python"
    done < <(bindings/python/interpreters.sh)
    retry_with=()
}

# The Go binding, against an installed copy, after test_native has built what is installed.
test_go() {
    local python22 have
    if ! have=$(scripts/go-version.sh); then
        skipped+=("go: $have")
        return
    fi
    python22=$(tests/interop/setup.sh) || python22=dividere-2.2.0-could-not-be-installed
    run_part 'go' 900 env BUILD="$test_build" DIVIDERE_PYTHON22="$python22" bindings/go/run-tests.sh
    run_part 'go examples' 600 env BUILD="$test_build" examples/go/run-all.sh
}

# Every pattern between every two languages, after test_rust, test_native and
# test_python have built what it needs.
test_matrix() {
    local python have languages=() agent=
    if have=$(scripts/go-version.sh); then
        agent=$root/$test_build/examples/telemetry/telemetry_agent
        run_build 'telemetry agent' 420 env BUILD="$test_build" scripts/go-build.sh examples/telemetry/agent "$agent"
        run_build 'matrix go peer' 420 env BUILD="$test_build" scripts/go-build.sh tests/matrix/peer_go \
            "$test_build/tests/matrix/matrix_peer_go"
    else
        skipped+=("go in the matrix: $have")
        languages=(--languages "rust,c,cpp,python,py22")
    fi
    # Without it everything else is run all the same; that it is missing is a failure.
    python=$(tests/interop/setup.sh) || python=dividere-2.2.0-could-not-be-installed
    run_part 'matrix' 420 tests/matrix/run.py --build "$test_build" --python22 "$python" \
        --python build/python/venv-wheel/bin/python \
        --examples "${CARGO_TARGET_DIR:-target}/debug/examples" --strict "${languages[@]}"
    run_part 'demo' 240 env TELEMETRY_PYTHON="$root/build/python/venv-wheel/bin/python" TELEMETRY_AGENT="$agent" \
        examples/telemetry/run.sh "$test_build/examples/telemetry" 40
}

summary() {
    local name log
    echo
    echo "=================================================================="
    for name in "${flaky[@]}"; do
        log=$logs/${name//[^A-Za-z0-9_.-]/_}.log.first
        echo
        echo "FLAKY: $name  (failed, then passed alone; the failure:)"
        tail -n 120 "$log" | sed 's/^/    | /'
    done
    echo
    for name in "${skipped[@]}"; do echo "SKIPPED: $name"; done
    for name in "${failed[@]}"; do echo "FAILED: $name"; done
    for name in "${flaky[@]}"; do echo "FLAKY: $name"; done
    echo "parts: ${#passed[@]} passed, ${#failed[@]} failed, ${#flaky[@]} flaky"
    [ "${#failed[@]}" -eq 0 ]
}
