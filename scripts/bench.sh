#!/bin/sh
# Builds the benchmark programs in release mode and runs them in turns: scripts/bench.sh [arguments of benches/run.py];
# then those of Python, from a wheel around the same library, with arguments of theirs in PYTHON_BENCH ("--rounds 3"; "no"
# leaves them out), whose results go to build/bench/python.json, too.
# Needs a quiet machine, or many runs: only ratios of alternating runs are compared.
set -eu
cd "$(dirname "$0")/.."
build=build/bench
target=$build/cargo
jobs=${JOBS:-2}
cargo build --release --locked -p dividere-bench --target-dir "$target"
# The libzmq and libsodium that were just built, and not those of a build before, for the C++ program that is compared with.
newest() {
    find "$target/release/build" "$@" -printf '%T@ %h\n' | sort -rn | head -n 1 | cut -d ' ' -f 2-
}
zmq=$(newest -name libzmq.a)
sodium=$(newest -name libsodium.a)
include=$zmq/source/include
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DDIVIDERE_BUILD_BENCHMARKS=ON \
  -DDIVIDERE_BENCH_ZMQ="$PWD/$zmq" -DDIVIDERE_BENCH_SODIUM="$PWD/$sodium" \
  -DDIVIDERE_BENCH_ZMQ_INCLUDE="$PWD/$include" >"$build/configure.log"
mkdir -p "$build/go"
cmake --build "$build" -j "$jobs" >"$build/make.log" 2>&1 || { tail -n 40 "$build/make.log"; exit 1; }
# Go, with the libzmq of the system (libzmq3-dev) for the program that is compared with.
if ! BUILD=$build JOBS=$jobs scripts/go-build.sh benches/go "$build/go" ./ours ./by_hand >"$build/go.log" 2>&1; then
  echo "Go is left out: its programs could not be built (see $build/go.log)"
fi
# Beside dividere 2.2.0, where it can be installed.
old=
if old=$(tests/interop/setup.sh); then
  set -- --python22 "$old" "$@"
fi
python3 benches/run.py --build "$build" --target "$target/release" "$@"

[ "${PYTHON_BENCH:-}" != no ] || exit 0
[ -n "$old" ] || exit 1
bindings/python/build-wheel.sh >"$build/wheel.log" 2>&1 || { tail -n 40 "$build/wheel.log"; exit 1; }
# shellcheck disable=SC2086 # several arguments
exec python3 benches/python/run.py --ours build/python/venv-wheel/bin/python --old "$old" \
  --json "$build/python.json" ${PYTHON_BENCH:-}
