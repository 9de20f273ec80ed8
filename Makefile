# Everything a person does with this repository. `make` alone lists it.
# BASE=debian builds images on Debian roots made here; without it, on AWS's public base images.

HOST    := $(shell uname -m)-unknown-linux-musl
TARGET  ?= $(HOST)
OUT     := $(or $(CARGO_TARGET_DIR),target)
RUNNER  := $(OUT)/$(TARGET)/release/immortal-runner
DISPATCHER := $(OUT)/$(TARGET)/release/immortal-dispatcher
# Programs that kill themselves where they are told to; never shipped.
FAILING := $(OUT)/failing
# Programs for the other architecture, which tests run under QEMU.
ARM64   := $(OUT)/aarch64-unknown-linux-musl/debug
BASE    ?=

.DEFAULT_GOAL := help
.PHONY: help setup build run dispatch test failing arm unit lint fmt images package bench chaos soak scale docs fuzz reproducible clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install what builds and tests need: musl target, runtime clients, test tools
	@runner/toolchain.sh
	@runtimes/setup.sh
	@tests/setup.sh

build: ## build runner and dispatcher: one static binary each (TARGET=aarch64-unknown-linux-musl: for 64-bit ARM)
	@runner/build.sh $(TARGET) --release -p runner -p dispatcher

run: setup build ## deploy the example functions (Timeout: 3 s) to a local Lambda API and run them for longer
	@.venv/bin/python docs/example/run.py $(RUNNER)

dispatch: setup build ## send a dead letter to the dispatcher, which explains it, runs it and delivers its outcome
	@.venv/bin/python docs/example/dispatch.py $(DISPATCHER) $(RUNNER)

test: setup build ## run all tests, in containers too
	@images/docker.sh
	@images/build.sh $(RUNNER) debian
	@.venv/bin/python images/check.py immortal/provided $(RUNNER)
	@$(MAKE) --no-print-directory failing arm
	IMMORTAL_RUNNER=$(abspath $(RUNNER)) IMMORTAL_FAILING=$(abspath $(FAILING)) IMMORTAL_ARM64=$(abspath $(ARM64)) cargo test --locked --workspace
	IMMORTAL_RUNNER=$(abspath tests/contained.sh) cargo test --locked -p e2e --test conformance

failing:
	cargo build --locked -p dispatcher -p runner --features dispatcher/failpoints,runner/failpoints
	@mkdir -p $(FAILING) && cp $(OUT)/debug/immortal-dispatcher $(OUT)/debug/immortal-runner $(FAILING)

# Not as shipped, for time: what is tested with it is that it runs.
arm:
	@runner/build.sh aarch64-unknown-linux-musl -p runner -p e2e --bin immortal-runner --bin rust-bootstrap

unit: ## run the tests that need nothing but Rust
	cargo test --locked -p ledger -p runner -p dispatcher

lint: ## check formatting, lints, dependencies, scripts, templates
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	cargo clippy --locked --manifest-path tests/fuzz/Cargo.toml --bins --examples -- -D warnings
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny@0.20.2
	cargo deny --locked check bans licenses sources
	@if cargo deny fetch db 2>/dev/null; then cargo deny --locked check --disable-fetch advisories; \
	else echo "advisories were not checked: the advisory database could not be fetched"; fi
	@command -v shellcheck >/dev/null || apt-get install -y --no-install-recommends shellcheck >/dev/null
	@images/lint.sh
	@tests/unsafe.sh
	shellcheck runtimes/*.sh runtimes/*/bootstrap images/*.sh deploy/*.sh runner/*.sh tests/*.sh tests/bench/*.sh tests/fuzz/*.sh .ci/run
	@[ -x .venv/bin/cfn-lint ] || tests/setup.sh
	.venv/bin/cfn-lint --include-checks I -- deploy/*.yaml

fmt: ## format the code
	cargo fmt --all
	cargo fmt --manifest-path tests/fuzz/Cargo.toml

images: build ## build the container images (ONLY="python3.9 …"; TARGET=aarch64-unknown-linux-musl; BASE=debian: on Debian roots made here)
	@images/docker.sh
	@images/sbom.sh $(RUNNER) runner $(TARGET)
ifneq ($(TARGET),$(HOST))
	@$(MAKE) --no-print-directory build TARGET=$(HOST)
endif
	@LIST=$(subst $(TARGET),$(HOST),$(RUNNER)) PLATFORM=$(if $(filter-out $(HOST),$(TARGET)),linux/$(if $(findstring aarch64,$(TARGET)),arm64,amd64)) \
		images/build.sh $(RUNNER) $(or $(BASE),aws) $(ONLY)

package: build ## pack the dispatcher as a Lambda function: dispatcher.zip beside it
	@deploy/package.sh $(DISPATCHER)

bench: setup build ## print the figures (FIGURES="worker dispatch start init ledger serve telemetry unpack others function images": only these)
	@tests/bench/setup.sh
	@runner/build.sh $(TARGET) --release -p e2e --bin limit
	@.venv/bin/python tests/bench/bench.py $(RUNNER) $(FIGURES)

chaos: setup build ## kill and fail at random: JOBS=1000, SEED=…; MUTANTS=1: show that deliberate defects are caught
ifdef MUTANTS
	cargo build --locked -p runner --features mutants --target-dir $(OUT)/mutants
	JOBS=$(or $(JOBS),1000) SEED=$(SEED) IMMORTAL_RUNNER=$(abspath $(OUT))/mutants/debug/immortal-runner cargo test --locked -p e2e --test chaos mutant -- --ignored --nocapture
	cargo build --locked -p dispatcher --features mutants --target-dir $(OUT)/mutants
	SEED=$(SEED) IMMORTAL_RUNNER=$(abspath $(RUNNER)) IMMORTAL_MUTANTS=$(abspath $(OUT))/mutants/debug/immortal-dispatcher cargo test --locked -p e2e --test dispatch mutant -- --ignored --nocapture
else
	JOBS=$(or $(JOBS),1000) SEED=$(SEED) IMMORTAL_RUNNER=$(abspath $(RUNNER)) cargo test --locked -p e2e --test chaos nothing -- --nocapture --test-threads 1
	JOBS=$(or $(JOBS),1000) SEED=$(SEED) IMMORTAL_RUNNER=$(abspath $(RUNNER)) cargo test --locked -p e2e --test dispatch chaos -- --nocapture
endif

soak: setup build ## the same at length, and all property tests with many more cases
	PROPTEST_CASES=$(or $(CASES),20000) TIMES=400 cargo test --locked -p ledger -p runner -p dispatcher
	$(MAKE) chaos JOBS=$(or $(JOBS),20000)
	STOPS=1000 IMMORTAL_RUNNER=$(abspath $(RUNNER)) cargo test --locked -p e2e --test dispatch stops
	$(MAKE) failing
	SCHEDULES=$(or $(SCHEDULES),20) IMMORTAL_RUNNER=$(abspath $(RUNNER)) IMMORTAL_FAILING=$(abspath $(FAILING)) cargo test --locked -p e2e --test dispatch whatever_fails -- --nocapture
	$(MAKE) chaos MUTANTS=1

scale: ## drain 1,000,000 failed invocations through the dispatcher in a simulated account, write docs/scaling.md (JOBS=…, SEED=…, SEEDS=1000, MODES="task worker batch …": only show)
	@runner/build.sh $(HOST) --release -p runner -p dispatcher -p scale
	$(if $(JOBS)$(SEED)$(SEEDS)$(MODES),,DOCS=$(abspath docs)) JOBS=$(JOBS) SEED=$(SEED) SEEDS=$(SEEDS) MODES="$(MODES)" $(OUT)/$(HOST)/release/scale

PAGES ?= reference conformance
docs: $(if $(filter conformance,$(PAGES)),setup build) ## write the pages of docs/ that are made of the code (PAGES="reference conformance": only these)
	$(if $(filter reference,$(PAGES)),UPDATE_REFERENCE=1 cargo test --locked -p dispatcher --test reference)
	$(if $(filter conformance,$(PAGES)),IMMORTAL_RUNNER=$(abspath $(RUNNER)) cargo test --locked -p e2e --test conformance report -- --ignored --nocapture)

fuzz: ## fuzz what is read from strangers (TARGET=zip, SECONDS=900; without TARGET, all one after the other)
	@for target in $(or $(filter-out %-musl,$(TARGET)),$(basename $(notdir $(wildcard tests/fuzz/targets/*.rs)))); do \
		tests/fuzz/run.sh $$target $(or $(SECONDS),900) || exit; done

reproducible: build ## build once more in other circumstances and compare, byte by byte
	@tests/reproducible.sh $(TARGET) $(dir $(RUNNER)) --release -p runner -p dispatcher

clean: ## remove what was built and fetched
	cargo clean
	rm -rf .runtimes .venv .cache
