#!/usr/bin/env bash
# Lists the CPythons of this machine that the tests run with, one for each version:
# "3.11 /usr/bin/python3.11". First python3, whichever that is.
set -uo pipefail

found=()
look_at() {
    local version
    version=$("$1" -c 'import sys, ssl, venv, ensurepip
assert sys.implementation.name == "cpython" and sys.version_info >= (3, 9)
print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || return
    case " ${found[*]} " in
    *" $version "*) return ;;
    esac
    found+=("$version")
    echo "$version $1"
}

look_at python3
for minor in 9 10 11 12 13 14; do
    look_at "python3.$minor"
    for python in "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor."*/bin/python; do
        if [ -x "$python" ]; then
            look_at "$python"
        fi
    done
done
