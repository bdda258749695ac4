#!/usr/bin/env bash
# Makes the environment that holds the real Python dividere 2.2.0, for the tests
# that speak with it, and prints the path of its interpreter. Quick when it is
# already there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$("$here/../../scripts/venv.sh" interop "$here/requirements.txt")
"$python" -c 'import dividere.messaging' || {
    echo "interop: dividere 2.2.0 is installed in $python but cannot be imported" >&2
    exit 1
}
echo "$python"
