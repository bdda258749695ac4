#!/usr/bin/env bash
# Installs dividere to a temporary prefix, moves that prefix elsewhere, and uses
# it as a stranger would: small C and C++ programs outside the source tree, over
# CMake and over pkg-config, shared and static, built and run. Also looks at the
# libraries themselves: names, symlinks, and that nothing but dividere_* shows.
#
# BUILD names a built CMake tree (build/test unless set).
# Prints one line per promise, and "N passed, N failed" at the end.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "$root" && cd "${BUILD:-build/test}" && pwd) || {
    echo "install: build first: BUILD=build/test scripts/build.sh" >&2
    exit 1
}
unset DESTDIR MAKEFLAGS MFLAGS MAKELEVEL PKG_CONFIG_PATH LD_LIBRARY_PATH LIBRARY_PATH CPATH

work=$(mktemp -d "${TMPDIR:-/tmp}/dividere-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0
failures=()

# promise TEXT COMMAND...: runs the command; its output is shown when it fails
promise() {
    local text=$1
    shift
    if ("$@") >"$work/log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok      $text"
    else
        failures+=("$text")
        echo "FAILED  $text"
        echo "    $*"
        sed 's/^/    | /' "$work/log"
    fi
}

# A program that hangs is a failure with a name.
run_program() { timeout 120 "$@"; }

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
major=${version%%.*}

# ---- install, and move -----------------------------------------------------

promise 'cmake --install works' cmake --install "$build" --prefix "$work/first"
mv "$work/first" "$work/moved"
prefix=$work/moved
so=$(find "$prefix" -name "libdividere.so.$version")
if [ -z "$so" ]; then
    echo "FAILED: no libdividere.so.$version was installed from $build"
    echo "$passed passed, 1 failed"
    exit 1
fi
lib=$(dirname "$so")
archive=$lib/libdividere.a
export PKG_CONFIG_PATH=$lib/pkgconfig
export LD_LIBRARY_PATH=$lib

staged() {
    DESTDIR=$work/stage cmake --install "$build" --prefix /opt/dividere &&
        test -f "$work/stage/opt/dividere/${lib#"$prefix"/}/libdividere.so.$version"
}
promise 'DESTDIR stages the install' staged

names_no_other_place() {
    # The package files must not know where they were built or first installed.
    ! grep -rnF -e "$root" -e "$work/first" "$lib/cmake" "$lib/pkgconfig"
}
promise 'package files name no place but their own' names_no_other_place

# ---- the libraries ---------------------------------------------------------

has_soname() { readelf -d "$so" | grep -F "Library soname: [libdividere.so.$major]"; }
promise "the SONAME is libdividere.so.$major" has_soname
promise 'the library is never unloaded (nodelete)' sh -c "readelf -d '$so' | grep -w NODELETE"
promise "libdividere.so.$major is a symlink to the library" \
    test "$(readlink "$lib/libdividere.so.$major")" = "libdividere.so.$version"
promise "libdividere.so is a symlink to libdividere.so.$major" \
    test "$(readlink "$lib/libdividere.so")" = "libdividere.so.$major"

only_ours() {
    local symbols others
    symbols=$(nm "$@" --defined-only | awk 'NF >= 2 { print $NF }') || return 1
    # nm prints the member's name, which ends in a colon, for an archive.
    others=$(grep -vE '^dividere_|:$' <<<"$symbols")
    grep -q '^dividere_version$' <<<"$symbols" || echo "dividere_version is not there"
    echo "$others"
    [ -z "$others" ] && grep -q '^dividere_version$' <<<"$symbols"
}
promise 'the shared library exports dividere_* alone' only_ours -D "$so"
promise 'the static library has no global symbol but dividere_*' only_ours --extern-only "$archive"

needs_only_the_system() {
    local needed
    needed=$(readelf -d "$so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    echo "$needed"
    ! grep -vE '^(libstdc\+\+|libgcc_s|libc|libm|librt|libpthread|libdl|ld-linux.*)\.so' <<<"$needed"
}
promise 'the shared library needs no libzmq, libsodium or protobuf' needs_only_the_system

# ---- the headers -----------------------------------------------------------

cat >"$work/header.c" <<'C'
#include <dividere.h>
#include <dividere.h>
int main(void) { return dividere_version() == 0; }
C
cp "$work/header.c" "$work/header.cpp"
strict=(-Wall -Wextra -Wpedantic -Werror -I "$prefix/include")
promise 'dividere.h compiles as C99 without a warning' \
    cc -std=c99 "${strict[@]}" -c "$work/header.c" -o "$work/header.o"
promise 'dividere.h compiles as C++17 without a warning' \
    c++ -std=c++17 "${strict[@]}" -c "$work/header.cpp" -o "$work/header.o"
promise 'the C++ binding is installed' test -f "$prefix/include/dividere/dividere.hpp"
# Every compiler that the machine has.
compilers=(c++)
for candidate in clang++ clang++-{14..22}; do
    command -v "$candidate" >/dev/null && compilers+=("$candidate") && break
done
for header in "$prefix"/include/dividere/*.hpp; do
    [ -e "$header" ] || continue
    name=${header#"$prefix/include/"}
    printf '#include <%s>\n#include <%s>\n' "$name" "$name" >"$work/alone.cpp"
    for compiler in "${compilers[@]}"; do
        promise "$name compiles alone without a warning ($compiler)" \
            "$compiler" -std=c++17 "${strict[@]}" -Wshadow -Wconversion -Wsign-conversion \
            -fsyntax-only "$work/alone.cpp"
    done
done

# ---- the command, where it was built ---------------------------------------

if grep -q '^DIVIDERE_CLI:BOOL=ON' "$build/CMakeCache.txt"; then
    command_works() {
        [ "$(run_program "$prefix/bin/dividere" --version)" = "dividere $version" ] &&
            run_program env -u LD_LIBRARY_PATH "$prefix/bin/dividere" perf --duration 100ms
    }
    promise 'the command is installed and works' command_works
    promise 'its completions are where bash looks for them' \
        bash -n "$prefix/share/bash-completion/completions/dividere"
    promise 'its completions are where zsh and fish look for them' \
        test -s "$prefix/share/zsh/site-functions/_dividere" -a \
        -s "$prefix/share/fish/vendor_completions.d/dividere.fish"
else
    promise 'no command is installed where none was built' test ! -e "$prefix/bin/dividere"
fi

# ---- programs outside the tree, over CMake ---------------------------------

cp -r "$here/project" "$work/project"
with_cmake() {
    cmake -S "$work/project" -B "$work/cmake" "$@" &&
        cmake --build "$work/cmake" --parallel 2
}
promise 'find_package(dividere 3 CONFIG) builds the programs' with_cmake -DCMAKE_PREFIX_PATH="$prefix"
for program in c_shared c_static cpp_shared cpp_static own_symbols_shared own_symbols_static; do
    promise "CMake: $program runs" run_program "$work/cmake/$program"
done
promise 'c_shared uses the shared library' \
    sh -c "readelf -d '$work/cmake/c_shared' | grep -F 'libdividere.so.$major'"
promise 'c_static does not need the shared library' \
    sh -c "! readelf -d '$work/cmake/c_static' | grep -F libdividere"

with_build_tree() {
    cmake -S "$work/project" -B "$work/uninstalled" -Ddividere_DIR="$build" &&
        cmake --build "$work/uninstalled" --parallel 2 &&
        run_program env -u LD_LIBRARY_PATH "$work/uninstalled/c_shared" &&
        run_program env -u LD_LIBRARY_PATH "$work/uninstalled/cpp_static"
}
promise 'the build tree can be used in place of an installed copy' with_build_tree

wrong_version() {
    cat >"$work/wrong/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(wrong C)
find_package(dividere 2 CONFIG QUIET)
if(dividere_FOUND)
  message(FATAL_ERROR "version 3 was taken for version 2")
endif()
CMAKE
    cmake -S "$work/wrong" -B "$work/wrong/build" -DCMAKE_PREFIX_PATH="$prefix"
}
mkdir -p "$work/wrong"
promise 'find_package refuses another major version' wrong_version

# ---- programs outside the tree, over pkg-config ----------------------------

promise "pkg-config knows version $version" \
    test "$(pkg-config --modversion dividere)" = "$version"
protoc --proto_path="$work/project" --cpp_out="$work" "$work/project/reading.proto" ||
    failures+=("protoc on reading.proto")

# with_pkgconfig KIND PACKAGE LANGUAGE: flags are words, quoted for no shell
with_pkgconfig() {
    local output=$1 package=$2 language=$3
    # shellcheck disable=SC2046
    if [ "$language" = c ]; then
        cc -std=c99 -Wall -Wextra -Werror "$work/project/program.c" \
            $(pkg-config --cflags "$package") -o "$work/$output" $(pkg-config --libs "$package")
    else
        c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror "$work/project/program.cpp" \
            "$work/reading.pb.cc" -isystem "$work" \
            $(pkg-config --cflags "$package" protobuf) -o "$work/$output" \
            $(pkg-config --libs "$package" protobuf)
    fi && run_program "$work/$output"
}
promise 'pkg-config: C, shared' with_pkgconfig pc_c_shared dividere c
promise 'pkg-config: C, static' with_pkgconfig pc_c_static dividere-static c
promise 'pkg-config: C++, shared' with_pkgconfig pc_cpp_shared dividere cpp
promise 'pkg-config: C++, static' with_pkgconfig pc_cpp_static dividere-static cpp
promise 'pc_c_static does not need the shared library' \
    sh -c "! readelf -d '$work/pc_c_static' | grep -F libdividere"

private_libraries() {
    pkg-config --static --libs dividere | grep -F -e '-lstdc++'
}
promise 'pkg-config --static names what the static library needs' private_libraries

# ---- the samples of the README ---------------------------------------------

# sample LANGUAGE: the first block of that language
sample() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$root/README.md" | sed '1d;/^```$/,$d'; }
mkdir -p "$work/readme"
sample proto >"$work/readme/reading.proto"
sample c >"$work/readme/sample.c"
sample cpp >"$work/readme/sample.cpp"
readme_c() {
    # shellcheck disable=SC2046
    cc -std=c99 -Wall -Wextra "$work/readme/sample.c" -o "$work/readme/c" \
        $(pkg-config --cflags --libs dividere) &&
        [ "$(run_program "$work/readme/c")" = 'Reading: 5 bytes' ]
}
readme_cpp() {
    # shellcheck disable=SC2046
    protoc --proto_path="$work/readme" --cpp_out="$work/readme" "$work/readme/reading.proto" &&
        c++ -std=c++17 "$work/readme/sample.cpp" "$work/readme/reading.pb.cc" \
            -o "$work/readme/cpp" $(pkg-config --cflags --libs dividere protobuf) &&
        [ "$(run_program "$work/readme/cpp")" = cpu ]
}
promise "the README's C sample runs" readme_c
promise "the README's C++ sample runs" readme_cpp

# ---- the examples ----------------------------------------------------------

with_examples() {
    cp -r "$root/examples" "$work/examples" &&
        cmake -S "$work/examples" -B "$work/examples/build" -DCMAKE_PREFIX_PATH="$prefix" &&
        cmake --build "$work/examples/build" --parallel 2
}
promise 'the examples build outside of the tree, against the installed copy' with_examples
promise 'the examples run' env -C "$work/examples/build" ctest --output-on-failure --no-tests=error \
    --timeout 120 --parallel 2

echo
for failure in "${failures[@]}"; do echo "FAILED: $failure"; done
echo "$passed passed, ${#failures[@]} failed"
[ "${#failures[@]}" -eq 0 ]
