# `make` lists what there is. Needs git, make and Python 3.11, 3.12 or 3.13, and nothing else.

VENV ?= .venv
# The first Python that really runs (a pyenv shim may exist and fail), is 3.11 to 3.13 and has venv.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	>/dev/null 2>&1 && { echo $$p; break; }; done)
PY := $(VENV)/bin/python
READY := $(VENV)/.installed
PORT ?= 8000

# The book's numbers are from TensorFlow on the CPU; its C++ log is kept out of outputs.
export KERAS_BACKEND := tensorflow
export TF_CPP_MIN_LOG_LEVEL := 2
# Settings of the reader's own Python and Jupyter do not reach into the book.
export PYTHONNOUSERSITE := 1
export JUPYTER_PREFER_ENV_PATH := 1
unexport PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help setup book pdf serve test lint unit notebooks check-notebooks site links try-it benchmarks matrix lock audit clean

help: ## list these commands
	@echo "Each command sets up what it needs (own $(VENV), pinned versions) the first time."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "Choose another interpreter: make book PYTHON=/path/to/python3.12"

setup: $(READY) ## set up the environment only (1 to 5 minutes the first time)

$(READY): requirements.txt pyproject.toml scripts/setup_venv.py
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 with venv found on the PATH."; \
	echo "Install one (on Debian or Ubuntu also python3-venv), or name it: make $(MAKECMDGOALS) PYTHON=..."; \
	exit 1; }
	@$(PYTHON) scripts/setup_venv.py $(VENV)

book: $(READY) ## build the book into _build/html (half a minute)
	@$(PY) scripts/check.py book
	@echo "The book: _build/html/index.html (make serve opens it)"

pdf: $(READY) ## the built book as one PDF, linked from its pages (minutes; needs Chromium)
	@test -f _build/html/index.html || $(PY) scripts/check.py book
	@$(PY) scripts/check.py pdf

serve: $(READY) ## build the book if it is not there, then open it in the browser
	@test -f _build/html/index.html || $(PY) scripts/check.py book
	@$(PY) scripts/serve.py $(PORT)

test: $(READY) ## run every check: lint, types, tests, notebooks, book, built site
	@$(PY) scripts/check.py all

lint: $(READY) ## style, types, import contract, spelling, notebook metadata (seconds)
	@$(PY) scripts/check.py lint

unit: $(READY) ## unit tests, property tests and doctests only
	@$(PY) scripts/check.py unit

check-notebooks: $(READY) ## re-execute the notebooks and compare with the stored outputs
	@$(PY) scripts/check.py notebooks

site: $(READY) ## build the book and check the built pages
	@$(PY) scripts/check.py book site

notebooks: $(READY) ## re-execute the notebooks and store their outputs (NOTEBOOKS=... for some)
	@$(PY) scripts/notebooks.py run $(NOTEBOOKS)

links: $(READY) ## ask every link to another site whether it is there (needs the network)
	@$(PY) scripts/links.py online

try-it: $(READY) ## run two notebooks from an empty environment, as on Colab (needs the network)
	@$(PY) scripts/try_it.py run

benchmarks: $(READY) ## repeat the recorded measurements in benchmarks/ (long)
	@$(PY) -m benchmarks

matrix: $(READY) ## tests and notebooks on other versions, backends, processors (CELLS=... for some; hours)
	@$(PY) -m pip install -q uv
	@$(PY) benchmarks/matrix.py $(if $(CELLS),--cells $(CELLS))

lock: $(READY) ## resolve the versions in requirements.txt again, from pyproject.toml
	@$(PY) -m pip install -q uv
	@$(PY) -m uv pip compile -q --universal --python-version 3.11 --upgrade \
	--extra all --extra book --extra test --generate-hashes --custom-compile-command "make lock" \
	--no-emit-index-url --no-emit-find-links -o requirements.txt pyproject.toml

audit: $(READY) ## known vulnerabilities and licences of what requirements.txt pins (needs the network)
	@$(PY) scripts/licences.py check
	@$(PY) -m pip install -q uv
	@$(PY) -m uv tool run -q pip-audit --strict --disable-pip --require-hashes -r requirements.txt

clean: ## remove what the commands built, and the environment
	rm -rf _build $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
