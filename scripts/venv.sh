#!/usr/bin/env bash
# Makes a Python virtual environment for a requirements file, once, and prints
# nothing but the path of its interpreter on stdout.
#
#   scripts/venv.sh NAME REQUIREMENTS   ->   build/venv/NAME/bin/python
#
# It is made again only when the requirements or the interpreter have changed.
# DIVIDERE_PYTHON names another interpreter than python3.
# Exit status: 0 with a working environment, 1 with a message on stderr.
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: scripts/venv.sh NAME REQUIREMENTS" >&2
    exit 2
fi
name=$1
requirements=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
interpreter=${DIVIDERE_PYTHON:-python3}
venv=$root/build/venv/$name
stamp=$venv/.made-from

mkdir -p "$root/build/venv"
# Two parts of a test run may want the same environment at once.
exec 9>"$root/build/venv/$name.lock"
flock 9

if ! version=$("$interpreter" -c 'import sys; print(sys.executable, sys.version)'); then
    echo "venv: cannot run $interpreter" >&2
    exit 1
fi
wanted="$version
$(cat "$requirements")"
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    echo "$venv/bin/python"
    exit 0
fi

rm -rf "$venv"
log=$root/build/venv/$name.log
if ! "$interpreter" -m venv "$venv" >"$log" 2>&1; then
    echo "venv: '$interpreter -m venv' failed (Debian, Ubuntu: apt-get install python3-venv)" >&2
    tail -n 20 "$log" >&2
    exit 1
fi
if ! timeout 600 "$venv/bin/python" -m pip install --disable-pip-version-check -q \
    -r "$requirements" </dev/null >"$log" 2>&1; then
    echo "venv: pip could not install what $requirements lists:" >&2
    tail -n 20 "$log" >&2
    echo "venv: a Python between 3.9 and 3.13 and a package index are needed;" >&2
    echo "venv: DIVIDERE_PYTHON=python3.11 chooses another interpreter" >&2
    exit 1
fi
printf '%s\n' "$wanted" >"$stamp"
echo "$venv/bin/python"
