# make demo: fresh machine to a table. make test: lint, types, tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo install test lint types unit openwandb clean

demo: $(VENV)/.demo
	$(BIN)/python -m synaug

install: $(VENV)/.dev

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/pip
	$(PIP_INSTALL) --editable '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/pip
	$(PIP_INSTALL) --editable '.[demo,dev]'
	touch $@ $(VENV)/.demo

test: lint types unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev openwandb
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup

clean:
	rm -rf $(VENV) .venv-openwandb dist .mypy_cache .ruff_cache .pytest_cache
