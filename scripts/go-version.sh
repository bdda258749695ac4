#!/usr/bin/env bash
# Whether the Go that is here is new enough for bindings/go. Prints its version, and status 0; or what is lacking and
# where to get it, and status 1.
set -uo pipefail
min_go=1.23
have=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null)
have=${have#go}
if [ -n "$have" ] && [ "$(printf '%s\n%s\n' "$min_go" "$have" | sort -V | head -n 1)" = "$min_go" ]; then
    echo "$have"
    exit 0
fi
echo "Go $min_go or newer is needed, found ${have:-none}; Debian 13: apt-get install golang-go; Debian 12:" \
    "golang-1.23 from bookworm-backports; else the archive from https://go.dev/dl, unpacked to /usr/local/go"
exit 1
