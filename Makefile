# Every target sets itself up in .venv; a second run installs nothing. `make help` lists the targets.
#
#   make demo PHOTO=photo.jpg BOXES=boxes.json OUT=out/mine
#   make test-matrix VERSIONS="4.2.23 5.2.3"
#   make test-gui SUITE=sid
#   make setup PYTHON=/path/to/python3.11

# Blender's bpy 5.0 wheel exists for Python 3.11 only. The first command that really is one is taken (a name may
# exist and not run); no match falls through to python3 and to the message in the setup rule.
IS_311 := import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 11))
PYTHON ?= $(shell for p in python3.11 python3; do $$p -c '$(IS_311)' 2>/dev/null && echo $$p && break; done)

VENV := .venv
PY   := $(VENV)/bin/python
PIP  := $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt
OUT  ?= out/demo

SUITE  ?= trixie
WINDOW ?= out/window/$(SUITE)

# The stamp's name holds a hash of what is to be installed, so a checkout that changes file dates reinstalls nothing.
STAMP := $(VENV)/.stamp-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' blender_manifest.toml)
ZIP     := dist/neural_assets-$(VERSION).zip
# Folders are listed beside files: their date changes when a file is added or removed.
ZIP_SOURCES := blender_manifest.toml LICENSE packaging/build_extension.py na_core/__init__.py na_core/message.py na_core/scene.py \
  $(shell find blender_addon na_core/geometry ! -path '*/__pycache__*' ! -name '.*' ! -name '* *' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-core test-addon test-matrix test-gui lint bench extension clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

setup: $(STAMP)  ## Make .venv with everything that the other targets need

# torch goes first: where pip can find a CPU build (extra index, wheel on disk), its dependants then keep it.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(PY) || $(or $(PYTHON),python3) -c '$(IS_311)' || { \
	  echo "Python 3.11 with venv is needed (Blender's bpy has wheels for no other): make PYTHON=python3.11" >&2; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PIP) setuptools wheel
	$(PIP) torch
	$(PIP) --no-build-isolation -e '.[worker,train,blender,dev]'
	@rm -f $(VENV)/.stamp-*
	@touch $@

demo: $(STAMP) $(ZIP)  ## Photo to rendered animation [PHOTO= BOXES= OUT=out/demo]
	$(VENV)/bin/neural-assets demo $(if $(PHOTO),--photo '$(PHOTO)') $(if $(BOXES),--boxes '$(BOXES)') --out '$(OUT)'

test: lint test-core test-addon  ## Lint, build the extension, run all tests

# Two processes, each with the tests of one file after the other: what a file's tests share is made once.
# PYTEST_ARGS comes last: "-n 0" runs everything in one process, as a debugger needs it. A process that crashes is
# a failure and is not started anew: it would run into the same test again.
SHARED_OUT := -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0
# A torch that took every core for itself would only wait for the other process.
test-core test-addon: export OMP_NUM_THREADS ?= 1

test-core: $(STAMP)
	$(PY) -m pytest $(SHARED_OUT) $(wildcard tests/na_core tests/server) $(PYTEST_ARGS)

# A process of its own: the tests above hold that na_core and server work without bpy.
test-addon: $(STAMP) $(ZIP)
	NEURAL_ASSETS_ZIP='$(abspath $(ZIP))' NEURAL_ASSETS_WORKER_PYTHON='$(abspath $(PY))' \
	  $(PY) -m pytest $(SHARED_OUT) tests/blender_addon $(PYTEST_ARGS)

test-matrix: $(STAMP) $(ZIP)  ## Test the built zip in Blender 4.2, 4.5, 5.0 and 5.2 [VERSIONS=]
	$(PY) packaging/test_matrix.py --zip $(ZIP) --worker-python $(PY) $(VERSIONS)

# As root: a Debian of its own in a folder, with Blender and a virtual display (trixie has 4.3, sid has 5.2).
test-gui: $(STAMP) $(ZIP)  ## Test in a real Blender window; about 2 GB once [SUITE=trixie WINDOW=out/window/trixie]
	packaging/blender_window.sh '$(SUITE)' '$(WINDOW)'
	NEURAL_ASSETS_ZIP='$(abspath $(ZIP))' NEURAL_ASSETS_WINDOW='$(abspath $(WINDOW))' \
	  $(PY) -m pytest tests/gui $(PYTEST_ARGS)

lint: $(STAMP)  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m mypy

bench: $(STAMP) $(ZIP)  ## Measure speed; writes benchmarks/results.json
	$(PY) benchmarks/run.py

extension: $(ZIP)  ## Build dist/neural_assets-<version>.zip

$(ZIP): $(STAMP) $(ZIP_SOURCES)
	$(PY) packaging/build_extension.py

clean:  ## Remove environments, caches and outputs; data/, runs/ and other folders in out/ stay
	rm -rf $(VENV) .venv-bpy-* dist build out/demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
