# make demo   install into .venv and run an example to its end
# make test   install with everything the tests need, and run all checks
# make bench  time the program beside its peers
# make torture  kill programs at random points of random workflows, 1,000 times (RUNS, SEED)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
RUNS ?= 1000

.PHONY: demo test bench torture clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/tested: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[test,examples]'
	touch $@ $(VENV)/installed

demo: $(VENV)/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

bench: $(VENV)/tested
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks

torture: $(VENV)/tested
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.torture --runs $(RUNS) $(if $(SEED),--seed $(SEED))

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
