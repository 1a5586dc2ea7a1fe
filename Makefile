# QADataSwap: everything a person or CI runs. `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help demo tests all tests-rust test-rust test-integration test-cross test-model test-observers test-shuttle \
	test-kills test-crash test-round-trips soak test-faults test-crowd test-containers fuzz test-fuzz test-hostile \
	test-core-asan test-sanitizers coverage scorecard test-cpp test-cpp-sanitizers test-package python-dev test-python \
	dev-setup core core-install rust python python-install benchmark benchmark-python benchmark-cpp benchmark-all \
	benchmark-engine report format lint zero-copy golden test-golden layout clean
# One thing at a time: cargo and Ninja use all cores by themselves, and share their folders.
.NOTPARALLEL:

export PATH := $(CURDIR)/.venv/bin:$(HOME)/.cargo/bin:$(PATH)
CARGO ?= cargo
DATA ?=
PREFIX ?= /usr/local
DENY := target/tools/bin/cargo-deny
DENY_VERSION := 0.20.2
# $(call build,PRESETS,ARGUMENTS) configures and builds presets of CMakePresets.json.
build = for p in $(1); do cmake --preset $$p && cmake --build --preset $$p $(2) || exit; done

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Order events of a real market, where there are any: `qads demo` makes some up otherwise.
ORDERS ?= $(wildcard $(or $(QADATASWAP_DATA),../shared/data)/es_mbo.parquet)

demo: ## Publish a feed from one process, read it and live views of it in others, check all (DATA=FILE, ORDERS=FILE for yours)
	@cpp/dev-setup.sh && bridge/python/dev-setup.sh
	ln -sf $(CURDIR)/target/debug/lib_qadataswap.so bridge/python/python/qadataswap/_qadataswap.abi3.so
	$(CARGO) build --locked -p qads -p qadataswap-cxx -p qadataswap-python
	$(call build,examples,--target example_relay example_views)
	PYTHONPATH=$(CURDIR)/bridge/python/python target/debug/qads demo $(if $(DATA),--data $(DATA)) $(if $(ORDERS),--orders $(ORDERS)) \
	  --relay "C++=target/cmake/examples/cpp/examples/relay" --relay "Python=.venv/bin/python bridge/python/examples/relay.py" \
	  --viewer "C++=target/cmake/examples/cpp/examples/views" --viewer "Python=.venv/bin/python bridge/python/examples/views.py"

# Where everything is set up, tests of one language against another may not be skipped.
tests test-cross test-kills test-round-trips coverage: export QADATASWAP_REQUIRE_CPP := 1
tests test-cross test-kills test-round-trips coverage: export QADATASWAP_REQUIRE_PYTHON := 1
tests: dev-setup python-dev tests-rust test-fuzz test-core-asan
tests: test-cpp test-cpp-sanitizers test-package test-python ## Run every test of every language

all: core python rust ## Build all packages, optimised

tests-rust: ## Run the Rust tests: units, documentation, processes, model checking
	$(CARGO) test --locked --workspace

test-rust: tests-rust ## The same

# Single tests by `--workspace --test`, not by `-p`: another choice of packages is another choice of features, and builds anew.
test-integration: ## Run only the tests that cross processes
	$(CARGO) test --locked -p qadataswap-tests

test-cross: dev-setup python-dev ## Run only the tests of one language against another
	$(CARGO) test --locked --workspace --test cpp --test cpp_kill --test python --test python_kill --test round_trips

test-model: ## Model-check the ring protocol, PREEMPTIONS=3 deep, and weaken each of its orderings (long)
	LOOM_MAX_PREEMPTIONS=$(or $(PREEMPTIONS),3) $(CARGO) test --locked -p qadataswap-loom weakened -- --nocapture

test-observers: ## Observe a writer in full flight, FRAMES=2000000 frames, and everything else that observers promise (long)
	QADATASWAP_OBSERVED_FRAMES=$(or $(FRAMES),2000000) $(CARGO) test --locked -p qadataswap-tests --test observer

test-shuttle: ## Run the ring protocol under SCHEDULES=10000000 random schedules, and break each of its laws (long)
	QADATASWAP_SCHEDULES=$(or $(SCHEDULES),10000000) $(CARGO) test --locked -p qadataswap-shuttle -- --nocapture

test-kills: dev-setup python-dev ## Kill writers, readers and recorders at random, KILLS=20000 times in all (long)
	QADATASWAP_KILLS=$(or $(KILLS),20000) $(CARGO) test --locked --workspace --test kill --test cpp_kill --test python_kill \
	  --test recording --test unnamed

test-crash: ## Die at every step of every act, POINTS=400000 times in passes over all steps (long)
	QADATASWAP_CRASH_POINTS=$(or $(POINTS),400000) $(CARGO) test --locked -p qadataswap-crash --test points

test-round-trips: dev-setup python-dev ## Send random tables from each language to each, ROUND_TRIPS=200000 of them (long)
	QADATASWAP_ROUND_TRIPS=$(or $(ROUND_TRIPS),200000) $(CARGO) test --locked --workspace --test round_trips

soak: ## Go on for SECONDS=3600, lap after lap, while writers, readers and schemas change (long)
	QADATASWAP_LAPS=forever QADATASWAP_SECONDS=$(or $(SECONDS),$(QADATASWAP_SECONDS),3600) \
	  $(CARGO) test --locked --workspace --test soak

test-faults: ## Fail system calls of every act, each in every way, FAULTS=20000 of them at most: there are fewer (long)
	QADATASWAP_INJECTED_FAILURES=$(or $(FAULTS),20000) $(CARGO) test --locked -p qadataswap-machine --test injected

test-crowd: ## READERS=1000 reader processes of one ring for SECONDS=600, some of them killed and replaced (long)
	QADATASWAP_READERS=$(or $(READERS),1000) QADATASWAP_SECONDS=$(or $(SECONDS),$(QADATASWAP_SECONDS),600) \
	  $(CARGO) test --locked -p qadataswap-machine --test crowd

test-containers: ## Use rings across namespaces and users, and under limits (as root, or much is skipped)
	$(CARGO) test --locked -p qadataswap-machine --test containers

# What is built under a sanitizer has a workspace, and folders, of its own.
instrumented = CARGO="$(CARGO)" tests/fuzz/cargo.sh

fuzz: ## Fuzz everything that takes bytes from outside, each target for SECONDS=600 (long; TARGETS="slot name" chooses)
	@cpp/dev-setup.sh
	$(instrumented) address build -q -p qadataswap-fuzz --features libfuzzer --bins
	QADATASWAP_SECONDS=$(or $(SECONDS),$(QADATASWAP_SECONDS),600) \
	  $(instrumented) address run -q -p qadataswap-fuzz --features libfuzzer --bin campaign -- $(TARGETS)

test-fuzz: ## Fuzz each target for a moment, and let a process rewrite frames while they are read
	@$(MAKE) --no-print-directory fuzz SECONDS=30
	$(instrumented) address test -p qadataswap-fuzz --features libfuzzer --lib --test hostile

test-hostile: ## Rewrite frames while they are read, TRIALS=1000000 times, under the address sanitizer (long)
	@cpp/dev-setup.sh
	QADATASWAP_TRIALS=$(or $(TRIALS),1000000) $(instrumented) address test -p qadataswap-fuzz --features libfuzzer --test hostile

# Counts the tests and the reports, and tells the scorecard.
watched = $(CARGO) run --locked -q -p qadataswap-scorecard --bin watched --

test-core-asan: ## Run the core's own tests under the address sanitizer, but for those that fuzzing outdoes
	$(watched) "tests of the core under the address sanitizer" tests/fuzz/cargo.sh address test -p qadataswap-core \
	  -- --skip frame::tests::hostile

# Valgrind is for what maps memory; thousands of spoilt and random frames would take it hours, and it knows no futex_waitv, so
# there are no relays to count.
test-sanitizers: dev-setup ## Run the core's tests under the address sanitizer and valgrind, and those of C and C++ under theirs (long)
	@cpp/dev-setup.sh sanitizers
	$(watched) "tests of the core under the address sanitizer" tests/fuzz/cargo.sh address test -p qadataswap-core
	$(watched) "tests of the core under valgrind" tests/fuzz/cargo.sh valgrind test -p qadataswap-core -- --test-threads=1 \
	  --skip frame::tests::hostile --skip frame::tests::round_trip --skip recording::tests::data_cut \
	  --skip relays_go_with_their_selector
	$(call build,asan tsan)
	$(watched) "tests of C and C++ under the address and undefined-behaviour sanitizers" ctest --preset asan --verbose
	$(watched) "tests of C and C++ under the thread sanitizer" ctest --preset tsan --verbose

COV := target/tools/bin/cov
coverage: dev-setup python-dev ## Count the lines of the ring core that the Rust tests run; below LEAST=95 % it fails (long)
	@test -x $(COV) || $(CARGO) install -q --locked --debug --version 0.15.0 --root target/tools llvm_profparser
	rm -rf target/coverage && mkdir -p target/coverage
	env -u QADATASWAP_SCORECARD \
	  RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/tests/scorecard/instrumented-rustc LLVM_PROFILE_FILE=$(CURDIR)/target/coverage/%m-%p.profraw \
	  $(CARGO) test --locked --workspace --exclude qadataswap-loom --exclude qadataswap-shuttle --exclude qadataswap-crash \
	  --lib --bins --tests --message-format=json > target/coverage/built.json
	$(CARGO) run --locked -q -p qadataswap-scorecard --bin coverage -- --cov $(COV) --profiles target/coverage \
	  --built target/coverage/built.json --under rust/qadataswap/src --least $(or $(LEAST),95)

scorecard: dev-setup python-dev ## Run the reliability scorecard and write it to docs/reliability.md (long; ROWS=1,4-6 SECONDS=60 bound it)
	$(CARGO) run --locked -q -p qadataswap-scorecard --bin qadataswap-scorecard -- $(if $(ROWS),--rows $(ROWS)) $(if $(SECONDS),--seconds $(SECONDS))

test-cpp: dev-setup ## Run the C and C++ tests
	$(call build,dev) && ctest --preset dev

test-cpp-sanitizers: dev-setup ## Run the C and C++ tests under the address, undefined-behaviour and thread sanitizers
	$(call build,asan tsan) && ctest --preset asan && ctest --preset tsan

test-package: dev-setup ## Install the C++ package, move it, and use it from projects of their own
	$(call build,dev static,--target qadataswap)
	cmake -DSHARED=$(CURDIR)/target/cmake/dev -DSTATIC=$(CURDIR)/target/cmake/static -DWORK=$(CURDIR)/target/package \
	  -DARROW_23=$(CURDIR)/target/arrow23/pyarrow -P cpp/tests/package_test.cmake

python-dev: ## Build the Python module for working on it: bridge/python/python in PYTHONPATH is the package then
	@bridge/python/dev-setup.sh
	$(CARGO) build --locked -p qadataswap-python
	ln -sf $(CURDIR)/target/debug/lib_qadataswap.so bridge/python/python/qadataswap/_qadataswap.abi3.so

test-python: python-dev ## Run the Python tests: the suite, the types, the wheel
	$(CARGO) build --locked -p qads
	bridge/python/test.sh

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

python: ## Build the Python package, optimised, as a wheel in target/wheels
	@bridge/python/dev-setup.sh
	maturin build --locked --release --manifest-path bridge/python/Cargo.toml --out target/wheels

python-install: python ## Install it into .venv
	.venv/bin/pip install --force-reinstall --no-deps --no-index --find-links target/wheels qadataswap

# A share of all samples; figures of less than the whole are to see that it works.
SHARE ?= 1
BENCH := $(CARGO) bench --locked -p qadataswap-benches
MEASURED = $(CURDIR)/target/benchmark
PEERS := $(CARGO) run --locked --release -q --manifest-path benches/peers/Cargo.toml --target-dir target --
ENGINES := $(CARGO) run --locked --release -q --manifest-path benches/engine/Cargo.toml --target-dir target \
	--features dbsp,differential --
STORES := ray==2.60.0 vineyard==0.24.2

benchmark: export CARGO_TARGET_DIR := $(CURDIR)/target
benchmark: python ## Measure what all of it costs beside the physical floor, into docs/performance.md (SHARE=0.1 takes a tenth)
	mkdir -p $(MEASURED) && rm -f $(MEASURED)/*.jsonl
	$(BENCH) --bench frames --bench pairs --bench views -- $(SHARE)
	$(CARGO) run --locked --release -q -p qadataswap-benches-ring -- $(SHARE)
	@$(MAKE) --no-print-directory benchmark-cpp
	.venv/bin/pip install -q --upgrade --no-deps --no-index --find-links target/wheels --target target/ours qadataswap
	PYTHONPATH=target/ours .venv/bin/python benches/python/dataframes.py --ways ours --cases A B C --json $(MEASURED)/python.jsonl
	@$(MAKE) --no-print-directory report

report: ## Write what was measured last into docs/performance.md
	$(CARGO) run --locked --release -q -p qadataswap-benches --bin report

benchmark-python: python ## Measure a Polars frame from one process to another, by QADataSwap and by what else there is
	cmp -s benches/python/requirements.txt target/rivals/requirements.txt || \
	  { .venv/bin/pip install -q --upgrade --target target/rivals -r benches/python/requirements.txt && \
	    cp benches/python/requirements.txt target/rivals/; }
	.venv/bin/pip install -q --upgrade --no-deps --no-index --find-links target/wheels --target target/rivals qadataswap
	.venv/bin/python benches/python/dataframes.py $(DATAFRAMES)

benchmark-cpp: ## Measure what frames cost in C++, against Rust in the same run
	@cpp/dev-setup.sh
	$(call build,benches,--target bench_frames)
	$(BENCH) --bench languages -- $(SHARE) $(CURDIR)/target/cmake/benches/cpp/benches/frames

benchmark-all: benchmark ## The same, and all peers beside it (long)
	rm -f $(MEASURED)/python.jsonl
	@$(MAKE) --no-print-directory benchmark-python DATAFRAMES="--json $(MEASURED)/python.jsonl"
	$(PEERS) --json $(MEASURED)/peers.jsonl --share $(SHARE)
	test -x target/daemons/bin/pip || .venv/bin/python -m venv target/daemons
	target/daemons/bin/pip install -q -r benches/python/daemons.txt
	for store in $(STORES); do target/daemons/bin/pip install -q $$store || echo "$$store does not install here"; done
	target/daemons/bin/pip install -q --force-reinstall --no-deps --no-index --find-links target/wheels qadataswap
	target/daemons/bin/python benches/python/daemons.py --json $(MEASURED)/daemons.jsonl
	@$(MAKE) --no-print-directory report

benchmark-engine: export CARGO_TARGET_DIR := $(CURDIR)/target
benchmark-engine: ## Measure views kept up to date, by the engine and its peers, into docs/performance.md (its peers take long to build)
	mkdir -p $(MEASURED)
	$(ENGINES) --json $(MEASURED)/engine.jsonl --share $(SHARE)
	@$(MAKE) --no-print-directory report

format: ## Format the code
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path tests/fuzz/Cargo.toml -p qadataswap-fuzz
	$(CARGO) fmt --manifest-path benches/peers/Cargo.toml -p qadataswap-peers
	$(CARGO) fmt --manifest-path benches/engine/Cargo.toml -p qadataswap-engine-benches

lint: ## Check format, lints, documentation and dependencies; any warning fails
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path tests/fuzz/Cargo.toml -p qadataswap-fuzz --check
	$(CARGO) fmt --manifest-path benches/peers/Cargo.toml -p qadataswap-peers --check
	$(CARGO) fmt --manifest-path benches/engine/Cargo.toml -p qadataswap-engine-benches --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --manifest-path tests/fuzz/Cargo.toml --target-dir target \
	  -p qadataswap-fuzz --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps -q
	@test -x $(DENY) || $(CARGO) install -q --locked --debug --version $(DENY_VERSION) --root target/tools cargo-deny
	$(DENY) --offline check --hide-inclusion-graph --allow unused-wrapper bans licenses sources
	@if $(DENY) fetch db 2>target/tools/fetch.log; then $(DENY) --offline check --hide-inclusion-graph advisories; else \
	  cat target/tools/fetch.log; echo "NOT CHECKED: known vulnerabilities, because their database cannot be fetched"; fi

zero-copy: ## Write the tables of docs/zero-copy.md anew, as the test finds them
	QADATASWAP_UPDATE_DOCS=1 $(CARGO) test --locked -p qadataswap --test polars documented

golden: ## Write the golden images of tests/golden/images anew, as this version writes regions
	QADATASWAP_UPDATE_GOLDEN=1 $(CARGO) test --locked -p qadataswap-golden this_version

test-golden: ## Read the golden images, refuse changed ones, and compare them with what this version writes
	$(CARGO) test --locked -p qadataswap-golden

layout: ## Print where everything lies in a region
	@$(CARGO) run --locked -q -p qads -- layout

clean: ## Remove what was built
	$(CARGO) clean
