# What can be done with this tree; `make` alone lists it.
# The work is done by cargo, CMake and the scripts in scripts/.

PREFIX ?= /usr/local
JOBS ?= 2
CLI ?= OFF
BUILD ?= build/cmake

.DEFAULT_GOAL := help
.PHONY: help setup build demo test soak sanitize fuzz bench lint format header install clean

help: ## print this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 18
	@echo
	@echo '  PREFIX=/usr/local  DESTDIR=  where install puts things;  JOBS=2  compilers at once;  CLI=ON'

setup: ## install the packages that building and testing need (Debian, Ubuntu)
	@scripts/setup.sh

build: ## build the shared and the static library
	@BUILD=$(BUILD) JOBS=$(JOBS) scripts/build.sh

demo: setup ## show live telemetry of this machine, sent and asked for through dividere
	@JOBS=$(JOBS) scripts/demo.sh

test: setup ## run every test that takes seconds: Rust, C, C++, Python, Go, installed copy
	@JOBS=$(JOBS) scripts/test.sh

soak: ## run the tests that take minutes
	@JOBS=$(JOBS) scripts/soak.sh

sanitize: ## run the tests under AddressSanitizer, ThreadSanitizer and valgrind
	@JOBS=$(JOBS) scripts/sanitize.sh

fuzz: ## feed hostile bytes to the decoder and to every role, for a bounded time
	@scripts/fuzz.sh

bench: ## compare with raw libzmq, cppzmq + protobuf, pyzmq and dividere 2.2.0
	@JOBS=$(JOBS) scripts/bench.sh

lint: ## check formatting and lints, warnings being errors
	@scripts/lint.sh

format: ## lay out Rust, C, C++, Go and Python files as `make lint` wants them
	@scripts/lint.sh --fix

header: ## write include/dividere.h anew from src/ffi
	@scripts/header.sh

install: ## install libraries, headers, CMake package, pkg-config files; CLI=ON: the command, too
	@BUILD=$(BUILD) JOBS=$(JOBS) scripts/build.sh -DCMAKE_INSTALL_PREFIX=$(abspath $(PREFIX)) -DDIVIDERE_CLI=$(CLI)
	@cmake --install $(BUILD)

clean: ## remove everything that was built
	rm -rf build target
