# Two commands on a fresh machine: `make demo` and `make test`. Needs Python >= 3.11 and make; Linux or macOS.
#
#   make install                into .venv, torch as a CPU build where there is no GPU
#   make demo                   the main job on invented patients, about 5 minutes
#   make demo DATA=FOLDER       the main job on your data (MINUTES=15)
#   make serve                  the service with a demo release and demo studies (PACS=AE@HOST:PORT gets the results)
#   make bundle TO=FOLDER       everything as wheels, for a machine without internet
#   make web                    the pages' static files, from web/ (make install does it too)
#   make test                   the fast tests
#   make test-all               and the tutorials, the browser, the long ones
#   make nightly                the reliability tests at full length
#   make bench                  the benchmarks: long, see benchmarks/BENCHMARKS.md
#   make check                  format, lint, types, import contracts
#   make docs                   writes docs/reference/ and the table in the READMEs anew

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
MINUTES ?=
PACS ?=
TO ?= bundle
PYTEST ?=
WORKERS ?= auto
# A worker a core, and one thread in each: two of torch's threads on a busy core wait for each other.
PARALLEL := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal
PIP := $(BIN)/python -m pip --disable-pip-version-check
STATIC := src/diascope/serve/room/static/manifest.json
WEB := $(wildcard web/*.js* web/build.sh web/pages/*.ts web/pages/*/*.ts web/viewer/*.ts web/style/*.css)
FAST := not slow and not browser and not gpu and not nightly

.PHONY: install dev demo serve web bundle test test-all nightly bench check docs clean
.DEFAULT_GOAL := install
.DELETE_ON_ERROR:

install: $(VENV)/.installed $(STATIC)

dev: $(VENV)/.dev $(STATIC)

web: $(STATIC)

# The first of these that runs, is new enough and can make environments.
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.11 python3.12 python3.13 python3.14 python; do \
	  if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "making $(VENV) with $$python: $$("$$python" --version)"; \
	    exec "$$python" -m venv $(VENV); \
	  fi; \
	done; \
	echo "Python 3.11 or newer with its venv module is needed (Debian: apt install python3-venv)." >&2; exit 1

# The constraint keeps every later installation from replacing torch.
$(VENV)/torch.txt: .ci/install_torch.py | $(BIN)/python
	@$(BIN)/python .ci/install_torch.py
	@$(BIN)/python -c 'from importlib.metadata import version; print("torch==" + version("torch"))' > $@

$(VENV)/.installed: pyproject.toml $(VENV)/torch.txt
	@echo "installing diascope and what it needs"
	@$(PIP) install --quiet --constraint $(VENV)/torch.txt --editable '.[fast,serve]'
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@echo "installing what the tests need"
	@$(PIP) install --quiet --constraint $(VENV)/torch.txt --editable '.[fast,export,serve,dev]'
	@touch $@

# The machine's own Node where it is new enough, else the one that PyPI has.
$(STATIC): $(WEB) $(VENV)/.installed
	@PYTHON="$(abspath $(BIN)/python)" sh web/build.sh

demo: install
	@$(BIN)/python examples/demo.py $(if $(DATA),--data "$(DATA)") $(if $(MINUTES),--minutes $(MINUTES))

serve: install
	@$(BIN)/python examples/serve.py $(if $(PACS),--pacs "$(PACS)")

bundle: install
	@PYTHON="$(abspath $(BIN)/python)" TORCH="$$(cat $(VENV)/torch.txt)" sh deploy/bundle.sh "$(TO)"

test: dev
	@$(PARALLEL) -m "$(FAST)" $(PYTEST)

test-all: dev
	@$(PARALLEL) -m "not nightly" $(PYTEST)

nightly: dev
	@$(BIN)/python -m pytest -q -m nightly --timeout 3600 $(PYTEST)

bench: dev
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

check: dev
	@$(BIN)/ruff format --check src tests examples benchmarks docs .ci
	@$(BIN)/ruff check src tests examples benchmarks docs .ci
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: dev
	@$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
