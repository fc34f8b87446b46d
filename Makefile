# Two commands to know: `make starter` and `make test`. Both need only Python 3.11 or newer with pip.
VENV ?= .venv
EXTRAS ?= dev
JOBS ?= auto
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := $(VENV)/bin

.PHONY: starter test readers lint format bench clean python

starter: $(BIN)/.flanmix
	$(BIN)/flanmix plan starter
	$(BIN)/flanmix build starter -o out/starter --replace --show 2

test: $(BIN)/.flanmix-$(EXTRAS)
	$(BIN)/python -m pytest -n $(JOBS) -rs

readers: $(BIN)/.flanmix-$(EXTRAS)
	.ci/trainers --into $(VENV) litdata mds

lint: $(BIN)/.flanmix-$(EXTRAS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(BIN)/.flanmix-$(EXTRAS)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(BIN)/.flanmix-bench
	$(BIN)/python benchmarks/build.py
	$(BIN)/python benchmarks/build.py --memory

clean:
	rm -rf $(VENV) build out *.egg-info

$(BIN)/.flanmix: setup.cfg pyproject.toml | python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(BIN)/.flanmix-%: setup.cfg pyproject.toml | python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@ $(BIN)/.flanmix

python:
	@test -n "$(PYTHON)" || { \
	  echo "flanmix needs Python 3.11 or newer with its venv module, and found none on the PATH."; \
	  echo "Install it (on Debian: apt install python3 python3-venv), or say where: make starter PYTHON=/path/to/python3.12"; \
	  exit 1; }
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "$(PYTHON) is not Python 3.11 or newer with its venv module: $$($(PYTHON) --version 2>&1 || true)"; \
	  echo "Say where a newer one is: make starter PYTHON=/path/to/python3.12"; \
	  exit 1; }
