# Each target sets up what it needs in a virtual environment of its own.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
MINUTES ?= 8
# Tests at once; each process takes up to 6 GB.
JOBS ?= 2
OUT ?= runs/wave

export MUJOCO_GL ?= egl

.PHONY: train test test-slow check build notebooks clean

# Install and train the embedded wave on this machine, then evaluate it.
train: $(VENV)/.installed
	$(BIN)/mimicgym train --motion wave --preset quick --minutes $(MINUTES) --out $(OUT)
	$(BIN)/mimicgym eval $(OUT)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow and not alone"
	$(BIN)/python -m pytest -m "alone and not slow"
	MIMICGYM_EXAMPLE_MINUTES=0.1 $(BIN)/python -m pytest -n $(JOBS) --nbmake --nbmake-timeout=600 examples

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow --timeout 3000

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

# Install the built wheel in a fresh environment and try it from another folder.
build: $(VENV)/.dev
	rm -rf dist build/wheel-env
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --wheel --outdir dist
	$(PYTHON) -m venv build/wheel-env
	build/wheel-env/bin/python -m pip install --quiet dist/*.whl
	cd build && wheel-env/bin/python ../tests/smoke_test.py

# Render the notebooks from their sources, with trainings of full length.
notebooks: $(VENV)/.dev
	cd examples && ../$(BIN)/jupytext --to ipynb --execute *.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
