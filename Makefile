# Everything starts here: `make demo` and `make test` need nothing but Python 3.10+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-all lint types unit slow oldest faults fuzz bench docs dist clean help

help:            ## list what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/:/'

# Of 27,000 files a tenth is ever imported, so each is compiled to bytecode when it first is.
# Of the versions in constraints.txt many have no release for Python 3.10: there pip chooses.
PINS := $(shell $(PYTHON) -c 'import sys; print("--constraint constraints.txt" if sys.version_info >= (3, 11) else "")')
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile $(PINS)
KERNEL := $(wildcard src/selfdepth/losses/fused/*.[ch])
$(READY): pyproject.toml constraints.txt $(KERNEL)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable '.[dev]'
	touch $@

demo: $(READY)   ## render a drive, train on it, write demo/report.html
	rm -rf demo
	$(BIN)/selfdepth demo --out demo

test: lint       ## lint, types and all tests but the slow ones
	$(MAKE) --jobs=2 types unit

test-all: test slow    ## lint, types and all tests

lint: $(READY)   ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## mypy --strict
	$(BIN)/mypy

# Two workers on two cores: libraries that start threads of their own, here and in the processes that tests start, would
# only make them wait for each other. What is compiled to bytecode is kept, whatever the caller's environment says: the
# processes are many.
unit slow oldest faults: export OMP_NUM_THREADS := 1
unit slow oldest: export TORCHINDUCTOR_COMPILE_THREADS := 1
unit slow oldest faults: export PYTHONDONTWRITEBYTECODE :=

# Shapes are checked by a hook in the first run, in all modules that state any; mypy checks the types of the others.
# torch.compile does not work under it, so what compiles runs without.
SHAPED := $(shell grep -rl --include='*.py' 'from jaxtyping import' src | sed 's,^src/,,; s,/__init__.py$$,,; s,.py$$,,' | tr / .)
comma := ,
empty :=
HOOK := $(subst $(empty) $(empty),$(comma),$(SHAPED) type_checker.checked)
unit: $(READY)   ## the tests but the slow ones
	$(BIN)/pytest -n 2 --dist worksteal -m "not compiled and not slow and not faults" --jaxtyping-packages=$(HOOK)
	$(BIN)/pytest -n 2 -m "compiled and not slow and not faults" $$(grep -rl --include='test_*.py' mark.compiled tests)

slow: $(READY)   ## the tests that draw every figure of the documents and try every measurement
	$(INSTALL) --editable '.[executorch]'  # large, and of use to these tests alone
	$(BIN)/pytest -n 2 -m slow

# Everything at the lower bounds of pyproject.toml; without `view`, whose viewer needs a newer numpy than the package.
OLDEST_PYTHON ?= python3.10
OLDEST := .venv-oldest/bin
oldest:          ## the tests with the oldest versions that are allowed: make oldest OLDEST_PYTHON=python3.10
	$(OLDEST_PYTHON) -m venv .venv-oldest
	$(OLDEST)/python -m pip install --quiet --disable-pip-version-check uv
	mkdir -p .venv-oldest/bounds
	sed 's/,view,/,/' pyproject.toml > .venv-oldest/bounds/pyproject.toml
	cp README.md .venv-oldest/bounds
	$(OLDEST)/uv pip compile --quiet --python $(OLDEST)/python --resolution lowest-direct --extra dev \
		--output-file .venv-oldest/versions.txt .venv-oldest/bounds/pyproject.toml
	$(OLDEST)/uv pip install --quiet --python $(OLDEST)/python --requirement .venv-oldest/versions.txt
	$(OLDEST)/uv pip install --quiet --python $(OLDEST)/python --no-deps --editable .
	$(OLDEST)/pytest -n 2 --dist worksteal -m "not slow and not faults"

KILLS ?= 50
faults: $(READY) ## kill runs and cut the power: make faults KILLS=50; writes benchmarks/results/faults.json
	SELFDEPTH_FAULTS=$(KILLS) $(BIN)/pytest -m faults tests/faults
	$(BIN)/python docs/write_reliability.py

TRIES ?= 20000
SEED ?= 0
fuzz: $(READY)   ## read mutated files of every kind: make fuzz TRIES=20000 SEED=0; writes benchmarks/results/fuzz.json
	PYTHONPATH=tests $(BIN)/python -m fuzz.run --tries $(TRIES) --seed $(SEED) --json benchmarks/results/fuzz.json
	$(BIN)/python docs/write_reliability.py

bench: $(READY)  ## measure the speed; writes benchmarks/results/speed.json and speed.md
	$(BIN)/python benchmarks/speed.py --json benchmarks/results/speed.json
	$(BIN)/python benchmarks/report.py benchmarks/results/speed.json

docs: $(READY)   ## build the site of the documents into site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: $(READY)   ## build the source distribution and a wheel for this kind of machine into dist/
	rm -rf dist
	$(BIN)/python -m build

clean:           ## remove the environment and caches
	rm -rf $(VENV) .venv-oldest .mypy_cache .ruff_cache .pytest_cache src/*.egg-info
