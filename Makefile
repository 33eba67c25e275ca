# The project's habits, one word each; `make` alone lists them.

VENV ?= .venv
DEMO_COMMAND = $(VENV)/bin/neuron-model run -- sh -c 'neuron-ls && neuron-ls --topology | sed -n "/^Neuron Device/,\$$p" && \
    neuron-model status --follow --for 12s && if [ -t 1 ]; then exec neuron-top; else exec neuron-top --once; fi'

BIN = $(VENV)/bin
PINS = pyproject.toml constraints.txt
PIP = python -m pip -qq --disable-pip-version-check --no-input install -c constraints.txt
QUICK = not slow and not tmux and not clients and not nightly
CLIENTS = $(patsubst tests/clients/%.txt,build/clients/%/.installed,$(wildcard tests/clients/*.txt))
BENCH = build/benchmark
PAGES = build/share
CACHES = .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# A name on PATH may be a stub that only says "not installed", so each candidate is run, not looked up. The closing colon
# is for make, which throws a shell's output away when the last command was not found.
candidates = $(PYTHON) python3.13 python3.12 python3.11 python3
first_that_runs = $(firstword $(shell for p in $(candidates); do $$p -c $(1) 2>/dev/null && echo $$p; done; :))
new_enough = 'import sys; sys.exit(sys.version_info < (3, 11))'
with_venv = 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'
no_python = Python 3.11 or later is missing: install it (Debian: apt-get install python3 python3-venv) \
    or name one with `make PYTHON=/path/to/python3`
no_venv = the venv module of $(1) is missing: install it (Debian: apt-get install $(notdir $(1))-venv)
find_python = $(or $(call first_that_runs,$(with_venv)),$(error $(strip \
    $(if $(call first_that_runs,$(new_enough)),$(call no_venv,$(call first_that_runs,$(new_enough))),$(no_python)))))

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.PHONY: help demo test test-full test-clients nightly golden lint format benchmark film \
    dashboards pages install-links uninstall-links clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{printf "%-18s%s\n", $$1, $$2}'

demo: $(VENV)/.base ## start a simulated host and walk through the tools
	@$(DEMO_COMMAND)

test: lint ## lint, types, layers and the quick tests: at most three minutes
	@echo 'tests, quick tier' >&2
	@HYPOTHESIS_PROFILE=quick $(BIN)/pytest -m '$(QUICK)'

test-full: $(VENV)/.dev $(CLIENTS) ## every test but the nightly ones; needs tmux and Prometheus, and root for some
	@command -v tmux >/dev/null || { echo 'tmux is missing: install it (Debian: apt-get install tmux)' >&2; exit 2; }
	@command -v promtool >/dev/null || \
	    { echo 'promtool is missing: install it (Debian: apt-get install prometheus)' >&2; exit 2; }
	@echo 'tests, full tier' >&2
	@HYPOTHESIS_PROFILE=full $(BIN)/pytest -rs -m 'not nightly'

test-clients: $(VENV)/.dev $(CLIENTS) ## other people's programs, unmodified, on a simulated host; needs root and gcc
	@$(BIN)/pytest -rs -n 0 -m clients tests/clients

nightly: $(VENV)/.dev $(CLIENTS) ## every test, with long fuzzing and endurance runs
	@HYPOTHESIS_PROFILE=nightly $(BIN)/pytest -rs --timeout 36000

golden: $(VENV)/.dev ## rewrite the golden files; read the diff before you commit it
	@NEURONTOOLS_GOLDEN=write $(BIN)/pytest --durations=0 --durations-min=10 -m 'not nightly'
	@git --no-pager diff --stat -- tests/golden

lint: $(VENV)/.dev ## style, format, types and who may import whom
	@echo 'ruff, mypy, import-linter' >&2
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@layers=$$($(BIN)/lint-imports --no-logo) || { echo "$$layers"; exit 1; }

format: $(VENV)/.dev ## rewrite the sources in the house format
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

dashboards: $(VENV)/.dev ## make alerts, rules, dashboards and docs/metrics.md anew
	@$(BIN)/python -m dashboards

benchmark: $(BENCH)/.installed ## print every performance figure, from a wheel install
	@cd $(BENCH) && for file in $(notdir $(wildcard benchmarks/bench_*.py)); do \
	    bin/python -m benchmarks.$${file%.py} || exit 1; done

film: $(VENV)/.dev ## play the demo in a terminal and draw docs/demo.svg: over a minute; needs tmux and Prometheus
	@$(BIN)/python -m docs.make_demo

pages: $(VENV)/.base ## manual pages and shell completion, in build/share
	@$(BIN)/python -m install pages --pages $(PAGES)

install-links: pages ## link tools, manual pages and completion below PREFIX; nothing of others is replaced
	@$(BIN)/python -m install links --pages $(PAGES) --prefix '$(PREFIX)' $(if $(FORCE),--force)

uninstall-links: $(VENV)/.base ## remove these links below PREFIX
	@$(BIN)/python -m install unlink --pages $(PAGES) --prefix '$(PREFIX)'

clean: ## remove caches and builds; the environment stays
	@rm -rf build dist $(CACHES)
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@echo 'making $(VENV) with $(find_python)' >&2
	@$(find_python) -m venv $(VENV)

$(VENV)/.base: $(PINS) | $(BIN)/python
	@echo 'installing the pinned dependencies in $(VENV): about a minute, once' >&2
	@$(BIN)/$(PIP) setuptools
	@$(BIN)/$(PIP) --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(PINS) | $(BIN)/python
	@echo 'installing the pinned dependencies and the development tools in $(VENV): about a minute, once' >&2
	@$(BIN)/$(PIP) setuptools
	@$(BIN)/$(PIP) --no-build-isolation -e '.[dev]'
	@touch $(VENV)/.base $@

# Each client program has an environment of its own, so that none of its dependencies meets ours.
build/clients/%/.installed: tests/clients/%.txt | $(BIN)/python
	@echo 'installing $* in build/clients: up to a minute, once' >&2
	@rm -rf $(@D)
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip -qq --disable-pip-version-check --no-input install --no-compile --no-deps -r $<
	@touch $@

# The benchmarks see only themselves beside the wheel: started in the repository they would import the sources instead.
$(BENCH)/.installed: $(VENV)/.base $(shell find neurontools device_model -type f -not -name '*.pyc')
	@echo 'installing a wheel in $(BENCH)' >&2
	@rm -rf build/lib $(BENCH)
	@$(BIN)/python -m venv $(BENCH)
	@$(BENCH)/bin/$(PIP) setuptools
	@$(BENCH)/bin/$(PIP) --no-build-isolation .
	@$(BENCH)/bin/$(PIP) prometheus-client
	@ln -s ../../benchmarks $(BENCH)/benchmarks
	@touch $@
