# Every command a developer needs. `make` or `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

DISTRIBUTIONS := shared virtual-exchange data-collector strategy-agent hyperliquid-exchange \
                 trader-manager portfolio-service
PYPROJECTS    := $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))
# What numba compiles; a change here means warming the compile cache again.
COMPILED      := $(shell find virtual-exchange/src/perp_engine strategy-agent/src/strategy_core/ict/kernel \
                   shared/src/suite/fixed.py -name '*.py')

# One resolution for every supported Python; no address of an index may enter a lock.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
           --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
           --no-config --no-emit-package suite-shared --no-emit-package strategy-agent \
           --extra service --extra embedded --extra kubernetes --extra llm --extra otel --extra redis \
           $(PYPROJECTS)

DATA    ?=
SYMBOLS ?=
DAYS    ?=
SEED    ?=
TRANSPORT ?=

.PHONY: help setup lock format check static unit test rest peers distributed e2e e2e-containers sbom docs chaos bench demo demo-llm cassette up down clean

help:  ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) \
	  | awk -F':.*## ' '{ printf "  \033[1mmake %-14s\033[0m %s\n", $$1, $$2 }'
	@echo "  options of demo: DATA=DIR SYMBOLS=BTC,ETH DAYS=30 SEED=7 TRANSPORT=http; of all: PYTHON=python3.12"

# ---- installing ---------------------------------------------------------------------------------

setup: $(VENV)/.warm  ## install everything into .venv (needs python3 3.11+, pip and make)

# uv is taken from the development lock too, so its hash is checked like all others.
$(VENV)/.sync: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is older than 3.11; try: make setup PYTHON=python3.12" >&2; exit 1; }
	@echo "setup: virtual environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@awk '/^uv==/ { on = 1 } on { print } on && !/\\$$/ { exit }' $< > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r $(VENV)/uv.txt 2> >(grep -v '^WARNING: Location ' >&2 || true)
	@echo "setup: packages of $<"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $<
	@rm -f $(VENV)/.install && touch $@

$(VENV)/.install: $(VENV)/.sync $(PYPROJECTS)
	@echo "setup: $(words $(DISTRIBUTIONS)) distributions, editable"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation \
	  $(addprefix -e ./,$(DISTRIBUTIONS))
	@touch $@

$(VENV)/.warm: $(VENV)/.install $(COMPILED)
	@echo "setup: compiling the engine and the features"
	@$(BIN)/python -m perp_engine.warm
	@$(BIN)/python -m strategy_core.ict.warm
	@touch $@

lock: $(VENV)/.sync  ## resolve the dependencies again and write both lock files
	@$(COMPILE) --upgrade --output-file requirements.lock
	@$(COMPILE) --upgrade --extra docker --extra local-llm --extra research --extra skfolio \
	  --group pyproject.toml:dev --override requirements-overrides.txt \
	  --constraint requirements.lock --output-file requirements-dev.lock
	@! grep -nE '://|^-|file:' requirements.lock requirements-dev.lock

# ---- checking -----------------------------------------------------------------------------------

# $(call pytest,name,folder,options): run a folder of tests, or say in one line that it is empty.
define pytest
	@if test -n "$$(find $(2) -name 'test_*.py' -print -quit 2>/dev/null)"; then \
	  echo "$(1): pytest $(2) $(3)"; $(BIN)/python -m pytest $(2) $(3); \
	else echo "$(1): nothing in $(2) yet"; fi
endef

# The same where real processes share a machine with whatever else runs there: what failed is run once
# more, alone, and both runs are shown. What fails alone too is a failure.
define pytest_processes
	@echo "$(1): pytest $(2) $(3)"; $(BIN)/python -m pytest $(2) $(3) || { \
	  test $$? = 1 || exit 2; echo "$(1): those that failed, once more and alone"; \
	  $(BIN)/python -m pytest $(2) --last-failed --last-failed-no-failures none; }
endef

format: setup  ## rewrite the sources in the house format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

check: static unit  ## format, lint, types, imports and unit tests, under two minutes

static: setup
	@echo "check: format"  && $(BIN)/ruff format --check --quiet .
	@echo "check: lint"    && $(BIN)/ruff check --quiet .
	@echo "check: types"   && $(BIN)/mypy
	@echo "check: imports" && $(BIN)/lint-imports
	@echo "check: secrets" && $(BIN)/python -m tests.support.secret_scan

unit: setup
	$(call pytest,unit,tests/unit,-n 2)

test: check rest e2e  ## everything CI runs: setup, check, then the slower tests

rest: setup
	$(call pytest,property,tests/property,-n 2)
	$(call pytest_processes,contract,tests/contract,-n 2 --dist loadfile)

peers: setup  ## install nautilus_trader, hummingbot, Ray and an S3 server, which make test then uses
	@$(BIN)/python tests/contract/peers/install.py

distributed: setup  ## install Ray into .venv, for sweeps on many machines (214 MB)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements-dev.lock ray==2.60.0

# Pictures of all pages of the dashboard, to look at; CI keeps the folder.
e2e: export DASHBOARD_SHOTS ?= $(CURDIR)/reports/dashboard
e2e: setup  ## real processes over HTTP; pictures of the dashboard in reports/dashboard
	$(call pytest_processes,e2e,tests/e2e,-n 2 --dist loadfile)

chaos: export HYPOTHESIS_PROFILE := chaos
chaos: export KEEP_FIGURES := 1
chaos: setup  ## the long forms of all promises; writes docs/promises.md
	$(call pytest,property,tests/property,-n 2 --timeout 1800)
	$(call pytest,chaos,tests/chaos,-n 2 --timeout 1800)

sbom: setup  ## what the suite consists of: reports/sbom.json (CycloneDX) and licenses.txt
	@$(BIN)/python deploy/supply/sbom.py requirements.lock reports

e2e-containers: setup  ## build the images, run the profiles and hurt them (needs a container engine)
	@PYTHONPATH=. $(BIN)/python -m tests.containers $(if $(ONLY),--only $(ONLY))

docs: setup  ## build the docs site into var/site
	@$(BIN)/zensical build --strict --clean

bench: setup  ## measure; DATA=DIR takes real bars for the engine, features and rivals
	@for script in $$(find tests -path 'tests/bench/bench_*.py' | sort); do \
	  case $$script in *engine.py|*features.py|*peers.py) data='$(if $(DATA),--data $(DATA))';; *) data=;; esac; \
	  echo "bench: $$script"; PYTHONPATH=. $(BIN)/python $$script $$data; \
	done

# ---- running ------------------------------------------------------------------------------------

demo: setup  ## offline arena on a synthetic market (or DATA=DIR), leaderboard and HTML report
	@$(BIN)/python -m virtual_exchange.demo $(if $(DATA),--data "$(DATA)") \
	  $(if $(SYMBOLS),--symbols "$(SYMBOLS)") $(if $(DAYS),--days "$(DAYS)") \
	  $(if $(SEED),--seed "$(SEED)") $(if $(TRANSPORT),--transport "$(TRANSPORT)")

demo-llm: setup  ## the same, two traders ask a small language model on this machine; no key
	@$(BIN)/python -m virtual_exchange.demo --models live --out var/demo/llm-report \
	  $(if $(DAYS),--days "$(DAYS)") $(if $(SEED),--seed "$(SEED)")

cassette: setup  ## record anew what the model answers on the market of the demo
	@$(BIN)/python -m virtual_exchange.demo --models record --out var/demo/recording

up:  ## start the backtest profile in containers
	docker compose --profile backtest up --detach --build

down:  ## stop the containers
	docker compose --profile backtest down

clean:  ## remove the environment and all caches (never var/)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache reports
