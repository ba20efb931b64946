# Everything a person types. `make help` lists it.

SHELL := /bin/bash
PYTHON ?= python3
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH"
# A job for each GPU: it takes one of its own. Without any, up to four side by side that share the
# cores: two single-threaded trainings beat one on two threads.
GPUS := $(filter-out 0,$(shell nvidia-smi -L 2>/dev/null | grep -c '^GPU'))
SLOTS := $(or $(GPUS),$(shell n=$$(nproc); echo $$(( n < 4 ? n : 4 ))))
MAX_THREADS := $(shell n=$$(( $$(nproc) / $(SLOTS) )); echo $$(( n > 0 ? n : 1 )))
OPTIONS := --cores all --resources gpu=$(SLOTS) --max-threads $(MAX_THREADS)
SNAKEMAKE := $(RUN) snakemake $(OPTIONS)

.DEFAULT_GOAL := help
.PHONY: help env demo resume report test check docs bench

help: ## List the targets.
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

env: ## Set up .venv from the lock; nothing when that is done.
	@$(PYTHON) tools/environment.py

demo: env ## Run everything params.yaml asks for: by default on faces drawn here, in minutes.
	@$(SNAKEMAKE)
	@$(RUN) mien show

resume: env ## Go on with a run that was killed, at any point.
	@$(RUN) mien resume $(OPTIONS)
	@$(RUN) mien show

report: demo ## Write Snakemake's own report, snakemake-report.html, of what `demo` made.
	@$(RUN) snakemake --cores 1 --report snakemake-report.html

test: env ## Run the tests, a whole workflow at toy scale among them.
	@$(RUN) pytest -q --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

check: env ## Check format, types, floors and the workflow's form.
	@$(RUN) tools/check

docs: env ## Build the pages and the API reference as a site, build/site; check claims and links.
	@$(RUN) python -m docs.check
	@$(RUN) python -m docs.reference
	@$(RUN) sphinx-build -E -W --keep-going -q -c docs -d build/doctrees build/pages build/site
	@$(RUN) python -m docs.links build/site

bench: env ## Measure; prints ratios against named peers.
	@$(RUN) python benchmarks/streams.py
	@$(RUN) python benchmarks/data.py --quick
	@$(RUN) python benchmarks/train.py --quick
	@$(RUN) python benchmarks/statistics.py --quick
	@$(RUN) python benchmarks/workflow.py --quick
