#!/usr/bin/env bash
# Installs what building, testing and linting dividere needs on Debian or Ubuntu,
# and says plainly what it could not. Safe to run again: it does nothing, quickly,
# when everything is there. It never installs a Rust toolchain of its own accord
# other than the distribution's, and only where that is new enough.
#
# Exit status: 0 when everything required is there, 1 otherwise.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

min_rust=1.85
# Without these something in `make test` cannot run.
required=(build-essential binutils pkg-config cmake git protobuf-compiler libprotobuf-dev
    libgtest-dev python3 python3-venv)
# Without these a part is skipped, and says so: the lint of shell scripts,
# memory checks, the cppzmq column of the benchmarks, network impairment.
optional=(shellcheck valgrind cppzmq-dev libzmq3-dev iproute2)

missing_packages() {
    local package
    for package in "$@"; do
        if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            echo "$package"
        fi
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "setup: root rights or sudo are needed to install packages" >&2
        return 1
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

# version_at_least HAVE WANT
version_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

updated=no
update_once() {
    if [ "$updated" = no ]; then
        apt update >/dev/null || echo "setup: 'apt-get update' failed; trying with the old lists" >&2
        updated=yes
    fi
}

install_packages() {
    local wanted package
    mapfile -t wanted < <(missing_packages "$@")
    [ "${#wanted[@]}" -eq 0 ] && return 0
    echo "setup: installing ${wanted[*]}"
    update_once
    # All at once is quick; one by one finds the one that cannot be had.
    apt install -y --no-install-recommends "${wanted[@]}" >/dev/null && return 0
    for package in "${wanted[@]}"; do
        apt install -y --no-install-recommends "$package" >/dev/null ||
            echo "setup: could not install $package" >&2
    done
}

rust_version() {
    rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'
}

ensure_rust() {
    local have candidate
    # A toolchain of rustup's that this shell has not been told of yet.
    if ! command -v cargo >/dev/null && [ -x "${HOME:-/root}/.cargo/bin/cargo" ]; then
        PATH="${HOME:-/root}/.cargo/bin:$PATH"
        echo "setup: cargo is in ${HOME:-/root}/.cargo/bin, which is not in PATH; add it"
    fi
    have=$(rust_version)
    if [ -z "$have" ] && command -v apt-cache >/dev/null; then
        update_once
        candidate=$(apt-cache policy rustc | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p')
        if [ -n "$candidate" ] && version_at_least "$candidate" "$min_rust"; then
            install_packages cargo rustc rustfmt rust-clippy
            have=$(rust_version)
        fi
    fi
    if [ -n "$have" ] && command -v cargo >/dev/null && version_at_least "$have" "$min_rust"; then
        echo "setup: rust $have"
        return 0
    fi
    cat >&2 <<MESSAGE
setup: dividere needs Rust $min_rust or newer; found ${have:-none}.
       Install it for your user with rustup, as https://rustup.rs describes:
           curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
       then open a new shell (or: . "\$HOME/.cargo/env") and run this again.
MESSAGE
    return 1
}

# For bindings/go alone: without it that part is skipped.
ensure_go() {
    local candidate have go_bin
    for go_bin in /usr/local/go/bin /usr/lib/go-1.2[3-9]/bin; do
        if [ -x "$go_bin/go" ] && ! command -v go >/dev/null; then
            PATH="$PATH:$go_bin"
            echo "setup: go is in $go_bin, which is not in PATH; add it"
        fi
    done
    if ! command -v go >/dev/null && command -v apt-cache >/dev/null; then
        update_once
        candidate=$(apt-cache policy golang-go | sed -n 's/^ *Candidate: 2:\([0-9.]*\).*/\1/p')
        if [ -n "$candidate" ] && version_at_least "$candidate" 1.23; then
            install_packages golang-go
        fi
    fi
    if have=$(scripts/go-version.sh); then
        echo "setup: go $have"
    else
        echo "setup: optional and not there: $have" >&2
    fi
}

failed=no

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    install_packages "${required[@]}"
    install_packages "${optional[@]}"
    mapfile -t lacking < <(missing_packages "${optional[@]}")
    [ "${#lacking[@]}" -eq 0 ] || echo "setup: optional and not there: ${lacking[*]}"
else
    echo "setup: this is not Debian or Ubuntu; install the equivalents of: ${required[*]}" >&2
    echo "setup: and, if you like, of: ${optional[*]}" >&2
fi

# What counts is the tool, however it came here.
for tool in cc c++ make git pkg-config cmake protoc python3 objcopy; do
    if ! command -v "$tool" >/dev/null; then
        echo "setup: required and not there: $tool" >&2
        failed=yes
    fi
done
if command -v cmake >/dev/null; then
    cmake_version=$(cmake --version | sed -n 's/^cmake version \([0-9.]*\).*/\1/p')
    if ! version_at_least "$cmake_version" 3.16; then
        echo "setup: cmake 3.16 or newer is required; found $cmake_version" >&2
        failed=yes
    fi
fi
for library in protobuf gtest; do
    if ! pkg-config --exists "$library" 2>/dev/null; then
        echo "setup: required and not there: the development files of $library" >&2
        failed=yes
    fi
done

ensure_rust || failed=yes
ensure_go

if [ "$failed" = yes ]; then
    echo "setup: incomplete, see above" >&2
    exit 1
fi
echo "setup: complete"
