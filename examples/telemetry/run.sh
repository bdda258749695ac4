#!/usr/bin/env bash
# Runs the telemetry example: a C++ publisher, a C subscriber and a C++ aggregator
# as processes of their own; asks the aggregator for a summary of so many readings,
# prints it, and stops everything. Fails when anything does, or anything is lost.
#
#   run.sh PROGRAMS_FOLDER [READINGS]
set -euo pipefail
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
desk=ipc://$work/requests

"$programs/telemetry_aggregator" "$feed" "$desk" >"$work/aggregator" &
aggregator=$!
"$programs/telemetry_subscriber" "$feed" >"$work/subscriber" &
subscriber=$!
# Connecting before the publisher is there is fine: it is tried until it is.
"$programs/telemetry_publisher" "$feed" "$interval_ms" 2 >"$work/publisher" &
publisher=$!
running=("$aggregator" "$subscriber" "$publisher")

echo "Readings of this machine every $interval_ms ms; the summary of $readings of them:"
echo
timeout 150 "$programs/telemetry_summary" "$desk" "$readings"
echo

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
timeout 60 "$programs/telemetry_summary" "$desk" "$sent" >/dev/null || status=$?
kill -TERM "$aggregator"
wait "$aggregator" || status=$?
running=()
cat "$work/publisher" "$work/subscriber" "$work/aggregator"

if [ "$(number subscriber received)" != "$sent" ] || [ "$(number aggregator received)" != "$sent" ]; then
    echo "telemetry: $sent readings were sent, but not all of them received" >&2
    exit 1
fi
[ "$status" -eq 0 ]
