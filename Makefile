# Two commands matter: `make demo` and `make test`. Both install what they need into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint deployments/constraints.txt

.PHONY: demo test lint constraints clean

demo: $(VENV)/.installed
	@$(BIN)/docs-mlm demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

$(VENV)/.installed: pyproject.toml deployments/constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing docs-mlm into $(VENV) (about two minutes the first time)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what the tests need into $(VENV)"
	@$(PIP) --editable ".[dev]"
	@touch $@

# What was tested, exactly: everything of a fresh installation, pinned.
constraints:
	$(PYTHON) -m venv $(VENV)-constraints
	$(VENV)-constraints/bin/pip install --quiet "torch==2.13.0" --editable ".[dev]"
	$(VENV)-constraints/bin/pip freeze --exclude-editable | sed -E 's/^torch @ .*/torch==2.13.0/; s/\+cpu$$//' > deployments/constraints.txt
	rm -rf $(VENV)-constraints

clean:
	rm -rf $(VENV) build *.egg-info
