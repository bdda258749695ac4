#!/bin/sh
# Builds the command dividere with cargo, and lays it and its completions into
# one folder.
#
#   build-command.sh SOURCE TARGET_DIR PROFILE OUTPUT [CARGO_FLAG...]
#
# CARGO in the environment names the tool.
set -eu

source_dir=$1
target_dir=$2
profile=$3
output=$4
shift 4

case $profile in
dev) artifacts=debug ;;
*) artifacts=$profile ;;
esac

# What make and a packager set for themselves is not meant for the builds
# within cargo's build scripts: DESTDIR would move what they install.
unset DESTDIR MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

"${CARGO:-cargo}" build --manifest-path "$source_dir/Cargo.toml" --target-dir "$target_dir" \
    --profile "$profile" --locked --features cli --bin dividere "$@"

built=$target_dir/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}$artifacts/dividere
mkdir -p "$output"
cp "$built" "$output/dividere.new"
mv -f "$output/dividere.new" "$output/dividere"

# A command for another machine cannot be run here, and comes without completions.
if [ -n "${CARGO_BUILD_TARGET:-}" ]; then
    rm -rf "$output/completions"
    echo "built for $CARGO_BUILD_TARGET: no completions"
    exit 0
fi
mkdir -p "$output/completions"
"$output/dividere" completions bash >"$output/completions/dividere.bash"
"$output/dividere" completions zsh >"$output/completions/_dividere"
"$output/dividere" completions fish >"$output/completions/dividere.fish"
