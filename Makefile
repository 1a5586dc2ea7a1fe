# QADataSwap: everything a person or CI runs. `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help demo tests tests-rust test-rust test-integration test-model test-kills rust benchmark format lint layout clean

export PATH := $(HOME)/.cargo/bin:$(PATH)
CARGO ?= cargo
DATA ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Publish a market-data feed from one process, read and check it in others (DATA=FILE for a file of yours)
	$(CARGO) run --locked -q -p qads -- demo $(if $(DATA),--data $(DATA))

tests: tests-rust ## Run every test of every language

tests-rust: ## Run the Rust tests: units, documentation, processes, model checking
	$(CARGO) test --locked --workspace

test-rust: tests-rust ## The same

test-integration: ## Run only the tests that cross processes
	$(CARGO) test --locked -p qadataswap-tests

test-model: ## Model-check the ring protocol with one preemption more than `make tests` does (long)
	LOOM_MAX_PREEMPTIONS=3 $(CARGO) test --locked -p qadataswap-loom models

test-kills: ## Kill writers and readers at random, KILLS=20000 times (long)
	QADATASWAP_KILLS=$(or $(KILLS),20000) $(CARGO) test --locked -p qadataswap-tests --test kill

rust: ## Build the Rust library and the command `qads`, optimised
	$(CARGO) build --locked --release -p qadataswap -p qads

benchmark: ## Measure what frames cost, beside the physical floor
	$(CARGO) bench --locked -p qadataswap-benches

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
