# make run: open the demo capture.  make test: lint, types, the three floors, tests.  Each sets up .venv with what it needs, and again when
# pyproject.toml changes: to run takes less than to test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
TESTING := $(VENV)/ready-to-test

.PHONY: run test clean

run: $(READY)
	@$(BIN)/protoview --demo

test: $(TESTING)
	$(BIN)/ruff check .
	$(BIN)/mypy -p protocols -p captures -p tui -m protoview
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "protoview needs Python 3.11 or newer: make PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || $(PYTHON) -m virtualenv $(VENV) || { rm -rf $(VENV); \
	    echo "cannot make a virtual environment: install Python's venv (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(BIN)/pip install --disable-pip-version-check --editable .
	@touch $@

$(TESTING): $(READY)
	$(BIN)/pip install --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
