# QADataSwap: everything a person or CI runs. `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help demo tests tests-rust test-rust test-integration test-cross test-model test-kills test-cpp \
	test-cpp-sanitizers test-package dev-setup core core-install rust benchmark benchmark-cpp format lint layout clean
# One thing at a time: cargo and Ninja use all cores by themselves, and share their folders.
.NOTPARALLEL:

export PATH := $(CURDIR)/.venv/bin:$(HOME)/.cargo/bin:$(PATH)
CARGO ?= cargo
DATA ?=
PREFIX ?= /usr/local
# $(call build,PRESETS,ARGUMENTS) configures and builds presets of CMakePresets.json.
build = for p in $(1); do cmake --preset $$p && cmake --build --preset $$p $(2) || exit; done

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Publish a market-data feed from one process, read and check it in others (DATA=FILE for a file of yours)
	@cpp/dev-setup.sh
	$(CARGO) build --locked -p qads -p qadataswap-cxx
	$(call build,examples,--target example_relay)
	target/debug/qads demo --relay "C++=target/cmake/examples/cpp/examples/relay" $(if $(DATA),--data $(DATA))

# Where everything is set up, tests of Rust against C++ may not be skipped.
tests test-cross: export QADATASWAP_REQUIRE_CPP := 1
tests: dev-setup tests-rust test-cpp test-cpp-sanitizers test-package ## Run every test of every language

tests-rust: ## Run the Rust tests: units, documentation, processes, model checking
	$(CARGO) test --locked --workspace

test-rust: tests-rust ## The same

test-integration: ## Run only the tests that cross processes
	$(CARGO) test --locked -p qadataswap-tests

test-cross: dev-setup ## Run only the tests of Rust against C++
	$(CARGO) test --locked -p qadataswap-tests --test cpp --test cpp_kill

test-model: ## Model-check the ring protocol with one preemption more than `make tests` does (long)
	LOOM_MAX_PREEMPTIONS=3 $(CARGO) test --locked -p qadataswap-loom models

test-kills: dev-setup ## Kill writers and readers at random, KILLS=20000 times (long)
	QADATASWAP_KILLS=$(or $(KILLS),20000) $(CARGO) test --locked -p qadataswap-tests --test kill --test cpp_kill

test-cpp: dev-setup ## Run the C and C++ tests
	$(call build,dev) && ctest --preset dev

test-cpp-sanitizers: dev-setup ## Run the C and C++ tests under the address, undefined-behaviour and thread sanitizers
	$(call build,asan tsan) && ctest --preset asan && ctest --preset tsan

test-package: dev-setup ## Install the C++ package, move it, and use it from projects of their own
	$(call build,dev static,--target qadataswap)
	cmake -DSHARED=$(CURDIR)/target/cmake/dev -DSTATIC=$(CURDIR)/target/cmake/static -DWORK=$(CURDIR)/target/package \
	  -DARROW_23=$(CURDIR)/target/arrow23/pyarrow -P cpp/tests/package_test.cmake

dev-setup: ## Get what the C++ side is built and tested with (other targets call it)
	@cpp/dev-setup.sh tests

core: ## Build the C++ library, optimised
	@cpp/dev-setup.sh
	cmake --preset release -DQADATASWAP_BUILD_TESTS=OFF -DQADATASWAP_BUILD_EXAMPLES=OFF -DQADATASWAP_ARROW=OFF
	cmake --build --preset release

core-install: core ## Install it, without debug information (PREFIX=DIR, /usr/local if not given)
	cmake --install target/cmake/release --strip --prefix "$(PREFIX)"

rust: ## Build the Rust library and the command `qads`, optimised
	$(CARGO) build --locked --release -p qadataswap -p qads

benchmark: ## Measure what frames cost, beside the physical floor
	$(CARGO) bench --locked -p qadataswap-benches --bench frames

benchmark-cpp: ## Measure what frames cost in C++, against Rust in the same run
	@cpp/dev-setup.sh
	$(call build,benches,--target bench_frames)
	$(CARGO) bench --locked -p qadataswap-benches --bench languages -- $(CURDIR)/target/cmake/benches/cpp/benches/frames

format: ## Format the code
	$(CARGO) fmt --all

lint: ## Check format, lints and documentation; any warning fails
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps -q

layout: ## Print where everything lies in a region
	@$(CARGO) run --locked -q -p qads -- layout

clean: ## Remove what was built
	$(CARGO) clean
