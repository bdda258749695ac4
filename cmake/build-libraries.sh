#!/bin/sh
# Builds the shared and the static library with cargo and lays them into one
# folder: the versioned shared library with its symlinks, and a static archive
# in which nothing but dividere_* is global.
#
#   build-libraries.sh SOURCE TARGET_DIR PROFILE OUTPUT VERSION [CARGO_FLAG...]
#
# CARGO, LD, OBJCOPY and AR in the environment name the tools. TARGET_DIR should
# be this script's own: cargo's other builds write the same file names.
set -eu

source_dir=$1
target_dir=$2
profile=$3
output=$4
version=$5
shift 5

major=${version%%.*}
case $profile in
dev) artifacts=debug ;;
*) artifacts=$profile ;;
esac

# What make and a packager set for themselves is not meant for the builds
# within cargo's build scripts: DESTDIR would move what they install.
unset DESTDIR MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# The library without its rlib: with one beside it, link-time optimisation is
# silently left out.
"${CARGO:-cargo}" rustc --manifest-path "$source_dir/Cargo.toml" --target-dir "$target_dir" \
    --profile "$profile" --locked --lib --crate-type cdylib,staticlib "$@"

built=$target_dir/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}$artifacts
mkdir -p "$output"

# replace FROM TO: only when they differ, so that nothing is linked again in vain
replace() {
    if ! cmp -s "$1" "$2"; then
        cp "$1" "$2.new"
        mv -f "$2.new" "$2"
    fi
}

replace "$built/libdividere.so" "$output/libdividere.so.$version"
ln -sfn "libdividere.so.$version" "$output/libdividere.so.$major"
ln -sfn "libdividere.so.$major" "$output/libdividere.so"

# The archive that cargo makes holds libzmq, libsodium and Rust's library with
# all their symbols global, which would clash with, or replace, the host's own.
# Link it into one object and keep only our names global. C++ puts templates
# into groups that a linker merges by name across objects; ours must not be
# merged with the host's once their symbols are local, so groups are dissolved.
stamp=$output/.static-from
archive=$built/libdividere.a
sum=$(cksum <"$archive")
if [ ! -f "$output/libdividere.a" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$sum" ]; then
    work=$(mktemp -d "$output/static.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    "${LD:-ld}" -r --whole-archive --force-group-allocation -o "$work/dividere.o" "$archive"
    "${OBJCOPY:-objcopy}" --wildcard --keep-global-symbol='dividere_*' \
        --remove-section .llvmbc --remove-section .llvmcmd "$work/dividere.o"
    "${AR:-ar}" rcs "$work/libdividere.a" "$work/dividere.o"
    mv -f "$work/libdividere.a" "$output/libdividere.a"
    printf '%s\n' "$sum" >"$stamp"
fi
