# What one does here. The steps themselves stand in .ci/ (small shell scripts) and in pyproject.toml (the tools' settings).
#
#   ONCE=1           make demo ends by itself instead of serving until Ctrl-C
#   PYTEST_ARGS=…    more arguments for pytest, such as PYTEST_ARGS='-x -k rollout'
#   WORKERS=0        make test runs the tests one after the other; otherwise side by side in so many processes
#   N=3              make testbed has so many hosts
#   ALLOW_MISSING=…  what tests may do without here, such as ALLOW_MISSING=docker,chromium
#   PEERS=0          make bench measures without the peers; otherwise it gets them (pip and npm, into .bench)
#   KEEP=1           make bench puts its figures into tests/benchmarks/results.*
#   UPGRADE=1        make lock takes the newest versions instead of keeping those that still fit

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin

.PHONY: help setup demo testbed test test-all bench check format lock clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

setup: ## Make .venv with the command .venv/bin/releaser and all tools; nothing to do: nothing done
	@.ci/setup

demo: setup ## Run the main job on real containers, then serve until Ctrl-C
	@$(BIN)/python -m releaser.demo $(if $(filter-out 0,$(ONCE)),--once)

testbed: setup ## Several Docker engines on this machine as hosts that can be cut off, frozen and killed, until Ctrl-C (root)
	@$(BIN)/python -m tests.testbed up $(or $(N),3)

test: setup ## Every test; installs the Debian packages they need when root
	@.ci/test $(PYTEST_ARGS)

test-all: setup ## Every test, more examples for the generated ones, and the benchmarks
	@HYPOTHESIS_PROFILE=thorough .ci/test $(PYTEST_ARGS)
	@$(MAKE) bench PEERS=0

bench: setup ## The benchmark, with its figures: beside git, beside the peers, and over the length of a history
	@$(if $(filter 0,$(PEERS)),,$(BIN)/python -m tests.benchmarks.peers)
	@BENCH_KEEP=$(KEEP) BENCH_PEERS=$(PEERS) $(BIN)/python -m pytest tests/benchmarks -m benchmark --timeout 0 -s $(PYTEST_ARGS)

check: setup ## Format, lint, types, import contracts, workflows, security, house rules, migrations against tables
	@.ci/check

format: setup ## Put the source into its format
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

lock: setup ## Write requirements.lock and requirements-dev.lock from pyproject.toml
	@.ci/lock $(if $(filter-out 0,$(UPGRADE)),--upgrade)

clean: ## Remove what the other targets made, .venv and the demo's folder included
	rm -rf .venv .bench .demo dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find releaser tests -type d -name __pycache__ -prune -exec rm -rf {} +
