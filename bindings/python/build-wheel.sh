#!/usr/bin/env bash
# Builds the wheel as a user's `pip wheel` does, in a fresh virtual environment, into
# build/python/wheel, and installs it there: for programs of other tests, with
# build/python/venv-wheel/bin/python.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$here/../.." && pwd)/build/python
rm -rf "$build/wheel" "$build/venv-wheel"
mkdir -p "$build"
python3 -m venv "$build/venv-wheel"
"$build/venv-wheel/bin/python" -m pip wheel --disable-pip-version-check --no-deps -w "$build/wheel" "$here"
"$build/venv-wheel/bin/python" -m pip install --disable-pip-version-check -q "$build"/wheel/dividere-*.whl
