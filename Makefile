# Every target sets up .venv by itself when the lock has changed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
EXTRAS := .venv/.extras
COMPILE := $(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url \
	--python-version 3.11 --custom-compile-command "make lock" --quiet

.PHONY: setup extras demo test test-slow lab bench bench-peers lint lock clean
.DELETE_ON_ERROR:

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "salesforecast needs Python 3.11 or newer; found $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "No venv module for $(PYTHON): install your system's python3-venv package."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# What only the slow tests and users with big data or databases need: [sql] and [spark].
extras: $(EXTRAS)

$(EXTRAS): $(READY) requirements-extras.lock
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-extras.lock
	@touch $@

demo: setup
	@$(BIN)/salesforecast demo

test: setup
	$(BIN)/pytest -m "not slow" -n 2

test-slow: extras
	$(BIN)/pytest -m slow

lab: setup
	$(BIN)/salesforecast lab

bench: setup
	$(BIN)/python -m benchmarks

# The libraries that the forecast benchmark compares with, in an environment of their own.
bench-peers:
	$(PYTHON) -m venv benchmarks/peers/.venv
	benchmarks/peers/.venv/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers/requirements.txt

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

lock: setup
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra sql --extra spark --constraint requirements.lock --output-file requirements-extras.lock

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
