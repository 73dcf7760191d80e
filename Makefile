# make demo: fresh machine to a verdict. make test: lint, types, tests. make unit: the quick ones.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo install test lint types tests thorough unit docs versions bench gpu openwandb smote-variants clean

demo: $(VENV)/.demo
	$(BIN)/python -m synaug --multirun experiment=demo

install: $(VENV)/.dev

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/pip
	$(PIP_INSTALL) --editable '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/pip
	$(PIP_INSTALL) --editable '.[demo,dev]'
	$(PIP_INSTALL) --no-deps smote-variants
	touch $@ $(VENV)/.demo

test: lint types tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

# The report's tests open it in Chromium: apt-get install chromium.
tests: $(VENV)/.dev openwandb
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup

# The same with every case of those tests of which the usual command tries some (tests/thorough.py): an hour.
thorough: $(VENV)/.dev openwandb
	SYNAUG_THOROUGH=1 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup

# What needs no whole program, no server and no browser: less than a minute.
unit: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -m unit

# The documentation, site/index.html: built strictly, from a folder, without a server.
docs: $(VENV)/.dev
	$(BIN)/python -m docs

# The unit tests with the oldest packages that pyproject.toml allows, and under another Python.
versions:
	benchmarks/versions.sh lowest $(PYTHON)
	benchmarks/versions.sh newest $(OTHER_PYTHON)

OTHER_PYTHON ?= python3.13

# A server that speaks W&B's protocol, for the tests of logging online. Its licence is non-commercial: it is
# never a dependency, only a program of its own environment that the tests start on the loopback.
OPENWANDB_VENV ?= .venv-openwandb
export OPENWANDB_VENV

openwandb: $(OPENWANDB_VENV)/bin/openwandb

$(OPENWANDB_VENV)/bin/openwandb:
	$(PYTHON) -m venv $(OPENWANDB_VENV)
	$(OPENWANDB_VENV)/bin/pip install --quiet --disable-pip-version-check openwandb==0.5.25

# Every stage beside what a user would run instead, on an otherwise idle machine: benchmarks/results/.
bench: $(VENV)/.dev smote-variants
	$(BIN)/python -m benchmarks

# An accelerator against this machine's CPU, and against what a user would run on it: benchmarks/results/gpu.json.
gpu: $(VENV)/.dev
	$(BIN)/python -m benchmarks.gpu

# A peer of one benchmark, in an environment of its own: of what it asks for, SMOTE needs neither Keras nor TensorFlow.
SMOTE_VARIANTS_VENV ?= .venv-smote-variants
export SMOTE_VARIANTS_VENV

smote-variants: $(SMOTE_VARIANTS_VENV)/bin/python

$(SMOTE_VARIANTS_VENV)/bin/python:
	$(PYTHON) -m venv $(SMOTE_VARIANTS_VENV).making
	$(SMOTE_VARIANTS_VENV).making/bin/pip install --quiet --disable-pip-version-check numpy scipy scikit-learn joblib pandas seaborn mkl
	$(SMOTE_VARIANTS_VENV).making/bin/pip install --quiet --disable-pip-version-check --no-deps smote-variants==1.0.1 metric-learn MiniSom statistics
	mv $(SMOTE_VARIANTS_VENV).making $(SMOTE_VARIANTS_VENV)

clean:
	rm -rf $(VENV) $(OPENWANDB_VENV) $(SMOTE_VARIANTS_VENV) dist site .mypy_cache .ruff_cache .pytest_cache
