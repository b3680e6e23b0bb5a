# Every target makes .venv first when it is missing or older than the pins.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# This tree's code, also where .venv was copied or moved here with the repository and names another.
export PYTHONPATH := $(CURDIR)/src
# onnxruntime would tell its maker of every session.
export ORT_DISABLE_TELEMETRY := 1

.PHONY: help use repro pack unpack show grid site print lists verify keep gc bench docs test check
help:
	@echo "make repro   run the profile named in params.yaml to its report; WORKERS=2 runs two stages at a time, ON=ray runs them on a Ray cluster"
	@echo "make use     PROFILE=laptop: name that profile and all of its runs in params.yaml; RUNS=recorded: those of its committed report"
	@echo "make pack    trainings as one folder for a machine without network, git and DVC; RUNS=\"unet densenet121\" of them"
	@echo "make unpack  store what they gave there; RESULTS=pack/results"
	@echo "make show    every run of the profile, every cell of its grid and every experiment in one table"
	@echo "make grid    every cell of the grid as a DVC experiment; WORKERS=2 trains two at a time"
	@echo "make site    the page of predictions and results, to be opened from disk"
	@echo "make print   report, details and claims as one HTML file for paper, from the report that make repro wrote"
	@echo "make lists   benchmark/: copies, subsets, groups, folds and mask conflicts of BRISC 2025, from what audit and prepare found"
	@echo "make verify  is every file in DVC's cache what it was when it was stored?"
	@echo "make keep    put the small results of finished trainings and the weights of a few into kept/, which git carries"
	@echo "make gc      what can go from DVC's cache, since no profile, commit or experiment names it; GO=1 removes it"
	@echo "make bench   speed as ratios in one run, and whether the fast ways give the plain ways' results; QUICK=1 to try it"
	@echo "make docs    the tables of README and docs/, from the results shown there and of the benchmark"
	@echo "make test    run the tests"
	@echo "make check   lint, format and types"

use: .venv/installed
	@python -m pipeline.profile "$(PROFILE)" "$(RUNS)"

# Without WORKERS as many stages at a time as there are GPUs, or cores where a training takes one. ON=ray: on the
# cluster of RAY_ADDRESS, else a Ray of this machine; TIMEOUT=3600 ends a stage there that takes longer.
repro: .venv/installed
	@profile=$$(python -m pipeline.profile) && $(if $(ON),ON=$(ON)) $(if $(TIMEOUT),BRISC_TIMEOUT=$(TIMEOUT)) python -m pipeline.repro $(WORKERS) && \
	echo "Report: reports/$$profile/report.md   Page: site/$$profile/index.html"

# Make hands RUNS, PROFILE, OUT, PART, WHEELS, RESULTS and WITHOUT_WEIGHTS on: pipeline/pack.py and unpack.py read them.
pack: .venv/installed
	@python -m pipeline.pack

unpack: .venv/installed
	@python -m pipeline.unpack

show: .venv/installed
	@python -m pipeline.show

# Without WORKERS as many as there are GPUs, at least one.
grid: .venv/installed
	@python -m pipeline.grid $(WORKERS)

verify: .venv/installed
	@python -m pipeline.verify

site: .venv/installed
	@profile=$$(python -m pipeline.profile) && python -m pipeline.dvc repro site@$$profile && \
	echo "Open site/$$profile/index.html in a browser; it needs no server and no network"

print: .venv/installed
	@profile=$$(python -m pipeline.profile) && python stages/print.py $$profile

lists: .venv/installed
	@profile=$$(python -m pipeline.profile) && python stages/lists.py $$profile

keep: .venv/installed
	@python -m pipeline.keep

gc: .venv/installed
	@python -m pipeline.gc $(if $(GO),--remove)

docs: .venv/installed
	@python -m pipeline.docs

# QUICK=1: tiny nets, times that mean nothing, and nothing written. FULL=1: the whole demo as well.
bench: .venv/installed
	@python -m bench.speed $(if $(QUICK),--quick) $(if $(FULL),--full)

test: .venv/tested
	python -m pytest -n logical --maxprocesses 4 --dist loadfile

check: .venv/tested
	ruff check .
	ruff format --check .
	python -m mypy

# The stamps are written last, so an interrupted installation is taken up again.
.venv/installed: requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info[:2] == (3, 11) else f"error: {sys.executable}: got Python {sys.version.split()[0]}, expected 3.11, for which the versions are pinned. Use: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/tested: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# What ON=ray needs besides.
.venv/cluster: .venv/installed requirements-cluster.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-cluster.txt
	@touch $@
