#!/usr/bin/env bash
# Writes include/dividere.h anew from src/ffi, with cbindgen as pinned in
# Cargo.lock and configured in cbindgen.toml, and then what is made from the
# header. tests/header.rs does the work, and fails while the checked-in header
# differs.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$HOME/.cargo/bin"
mkdir -p include
cargo test --quiet --test header -- --ignored --exact write_header
# The declarations of the Python binding.
python3 bindings/python/tools/declarations.py
