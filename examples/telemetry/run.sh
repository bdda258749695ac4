#!/usr/bin/env bash
# Runs the telemetry example, each part a process of its own: a name registry, a
# publisher in Go, a C subscriber, and two instances of the C++ aggregator, a service that
# is found by its name. Asks it for a summary of so many readings, kills one instance
# meanwhile, prints what the other one answers, and stops everything. Fails when
# anything does, or anything is lost.
#
#   run.sh PROGRAMS_FOLDER [READINGS]
#
# TELEMETRY_PYTHON names a Python that has the package dividere: the operator's view is
# in Python then, and in C++ otherwise. TELEMETRY_AGENT names the publisher that was
# built from agent/: without it that is in C++, too.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=$1
readings=${2:-200}
interval_ms=${TELEMETRY_INTERVAL_MS:-200}

work=$(mktemp -d "${TMPDIR:-/tmp}/telemetry.XXXXXX")
running=()
cleanup() {
    # Only what did not stop by itself is still in the list.
    [ "${#running[@]}" -eq 0 ] || kill -KILL "${running[@]}" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

feed=ipc://$work/readings

# Which part is in which language; what asks for the table.
languages='registry, aggregator: C++; subscriber: C'
if [ -n "${TELEMETRY_AGENT:-}" ]; then
    agent=$TELEMETRY_AGENT
    languages+='; publisher: Go'
else
    agent=$programs/telemetry_publisher
    languages+='; publisher: C++'
fi
if [ -n "${TELEMETRY_PYTHON:-}" ]; then
    protoc --proto_path="$here" --python_out="$work" telemetry.proto
    export PYTHONPATH=$work
    view=("$TELEMETRY_PYTHON" "$here/operators_view.py")
    languages+="; operator's view: Python"
else
    view=("$programs/telemetry_summary")
    languages+="; operator's view: C++"
fi

mkfifo "$work/registry"
"$programs/telemetry_registry" >"$work/registry" &
registry=$!
running=("$registry")
read -r names <"$work/registry" || { echo "telemetry: the registry did not start" >&2; exit 1; }
"$programs/telemetry_aggregator" "$feed" "$names" >"$work/aggregator" &
aggregator=$!
"$programs/telemetry_aggregator" "$feed" "$names" >"$work/victim" &
victim=$!
# No word of bash's about its end.
disown "$victim"
"$programs/telemetry_subscriber" "$feed" >"$work/subscriber" &
subscriber=$!
# Connecting before the publisher is there is fine: it is tried until it is.
"$agent" "$feed" "$interval_ms" 3 >"$work/publisher" &
publisher=$!
running=("$registry" "$aggregator" "$victim" "$subscriber" "$publisher")

echo "The service telemetry.aggregator has two instances, known to the registry at $names."
echo "Languages: $languages."
echo "Readings of this machine every $interval_ms ms; the summary of $readings of them:"
echo
# When half of the readings are there, one instance is gone without a word.
half() {
    timeout 150 "$programs/telemetry_summary" "$names" "$((readings / 2))" >/dev/null && kill -KILL "$victim"
}
half &
half=$!
timeout 150 "${view[@]}" "$names" "$readings"
wait "$half"
running=("$registry" "$aggregator" "$subscriber" "$publisher")
echo
echo "One instance was killed on the way (kill -9); whoever asked did not notice."

number() { sed -n "s/.*: *$2 \([0-9]*\) readings.*/\1/p" "$work/$1"; }

# The publisher ends with a message that ends the subscriber. The aggregator goes
# on; it answers when it has received everything.
status=0
kill -TERM "$publisher"
wait "$publisher" || status=$?
if ! timeout 60 tail --pid="$subscriber" -f /dev/null; then
    echo "telemetry: the subscriber did not see the publisher's end" >&2
    exit 1
fi
wait "$subscriber" || status=$?
sent=$(number publisher sent)
timeout 60 "$programs/telemetry_summary" "$names" "$sent" >/dev/null || status=$?
kill -TERM "$aggregator"
wait "$aggregator" || status=$?
kill -TERM "$registry"
wait "$registry" || status=$?
running=()
cat "$work/publisher" "$work/subscriber" "$work/aggregator"

if [ "$(number subscriber received)" != "$sent" ] || [ "$(number aggregator received)" != "$sent" ]; then
    echo "telemetry: $sent readings were sent, but not all of them received" >&2
    exit 1
fi
[ "$status" -eq 0 ]
