# What building with Go needs to know here. Sourced from the project's root by scripts/go-build.sh and bindings/go/run-tests.sh.
# shellcheck shell=bash
export GOTOOLCHAIN=local
# go gives the linker what it has to know of a position-independent gcc only where CC is one word.
case ${CC:-} in *\ *) export CC=gcc ;; esac
case ${CXX:-} in *\ *) export CXX=g++ ;; esac
# Go's build cache knows flags, and not that a header or a static library outside the module has changed, or what
# pkg-config says of it. PKG_CONFIG_PATH is set before.
library=$(pkg-config --variable=libdir dividere)/libdividere.a
CGO_CFLAGS="${CGO_CFLAGS:--g -O2} -DDIVIDERE_SUMS=$({ cat include/dividere.h "$library" && pkg-config --libs dividere-static; } | cksum | cut -d' ' -f1)"
export CGO_CFLAGS
