#!/usr/bin/env bash
# Installs the wheel that build-wheel.sh made in a fresh virtual environment, and runs
# the tests there: not in the tree, so that what is missing in the wheel is missed.
#
#   bindings/python/run-tests.sh [--python INTERPRETER] [PYTEST ARGUMENT...]
#
# DIVIDERE_PYTHON22 names a Python with dividere 2.2.0, as tests/interop/setup.sh
# prints it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$here/../.." && pwd)/build/python
python=python3
if [ "${1:-}" = --python ]; then
    python=$2
    shift 2
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
venv=$build/venv-$version
rm -rf "$venv"
"$python" -m venv "$venv"
wheels=("$build"/wheel/dividere-*-py3-none-*.whl)
# The oldest protobuf that it works with, beside the oldest Python.
protobuf=()
if [ "$version" = 3.9 ]; then
    protobuf=(protobuf==3.20.0)
fi
"$venv/bin/python" -m pip install --disable-pip-version-check -q "${wheels[0]}" -r "$here/tests/requirements.txt" \
    "${protobuf[@]}"
# Its own, to see what the tests leave behind; pytest's own folders it would clean up later.
temporary=$(mktemp -d "${TMPDIR:-/tmp}/dividere-python.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
cd "$build"
TMPDIR=$temporary "$venv/bin/python" -m pytest -q -o cache_dir="$build/pytest-$version" -c "$here/pyproject.toml" \
    "$here/tests" "$@"
left=$(find "$temporary" -mindepth 1 -maxdepth 1 -not -name 'pytest-of-*')
if [ -n "$left" ]; then
    echo "left behind by the tests:" "$left"
    exit 1
fi
