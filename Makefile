# What one does with a checkout; `make help` lists it. PYTHON names the interpreter (3.11 or newer).
PYTHON ?= python3.11
VENV := .venv
# What of pyproject.toml's extras the tests have: `test,images` adds the checkers of docker/, without which their tests skip.
EXTRAS ?= test
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Not compiled: most of what is installed is never imported, and the rest is compiled when it is.
INSTALL := $(PIP) install --quiet --no-compile

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types rules format docs screenshots images bench chaos clean

help:  ## list these commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

demo: $(VENV)/installed  ## set up, then search 256 settings of a network on handwritten digits
	$(BIN)/hpo run search_spaces/studies/digits.yaml

test: $(VENV)/installed-test  ## set up, then run all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: lint types rules  ## lint, format, types and the rules of the house

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-test
	$(BIN)/mypy

rules: $(VENV)/installed-test
	$(BIN)/python -m pytest tests/architecture

format: $(VENV)/installed-test  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/installed  ## write the reference pages that are made from tables
	$(BIN)/python docs/build.py

screenshots: $(VENV)/installed-test  ## take the pictures of the pages in docs/pictures (with Chromium)
	$(BIN)/python docs/screenshots.py

images: $(VENV)/installed-test  ## build the container images and run a study on them (as root, with podman and docker-compose)
	$(BIN)/python -m pytest -m docker -s tests/docker

bench: $(VENV)/installed-test  ## run the benchmarks behind the README's figures (well over half an hour)
	$(BIN)/python benchmarks/core.py
	$(BIN)/python benchmarks/storage.py
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/peers.py
	$(BIN)/python benchmarks/api.py
	$(BIN)/python benchmarks/seen.py
	$(BIN)/python benchmarks/recovery.py
	$(BIN)/python benchmarks/cluster.py

chaos: $(VENV)/installed-test  ## break everything that can break while studies run, ROUNDS=100 times (2 hours; as root)
	$(BIN)/python -m tests.chaos.rounds --rounds $(or $(ROUNDS),100) --home build/chaos $(ARGS)

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@ $(VENV)/installed
