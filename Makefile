# `make` alone lists what there is. Everything runs in the environment that uv keeps.
RUN := uv run --all-packages

.DEFAULT_GOAL := help
.PHONY: install format lint types contracts spelling lock house quick quick-file quick-core test plain faults check versions demo bench bench-speed bench-retrieval bench-tokens help

install: ## make the environment, with every package of the workspace
	uv sync --all-packages

format: ## format the code, and mend what ruff can mend
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

lint: ## formatting and ruff's rules
	$(RUN) ruff format --check .
	$(RUN) ruff check .

types: ## mypy, strict; and what a user's code looks like to it
	$(RUN) mypy
	$(RUN) mypy tests/typing

contracts: ## who may import whom
	$(RUN) lint-imports

spelling: ## codespell
	$(RUN) codespell

lock: ## uv.lock fits pyproject.toml
	uv lock --check

house: ## versions in step, nothing named that must not be
	$(RUN) pytest -q tests/test_packaging.py

# Files in memory, where there is such a folder: a disk makes tests wait.
QUICK := $(if $(wildcard /dev/shm),TMPDIR=/dev/shm) $(RUN) pytest -q -m "not slow"

quick: ## the core's tests but the slow ones, in two processes; about a minute
	$(MAKE) --no-print-directory -j 2 quick-file quick-core

quick-file:
	$(QUICK) tests/contracts tests/storage tests/core/cli

quick-core:
	$(QUICK) tests/core --ignore tests/core/cli

test: ## all tests
	$(RUN) pytest

plain: ## all tests on the standard library's SQLite, as where sqlcipher3 has no wheel
	UV_PROJECT_ENVIRONMENT=.venv/plain uv sync -q --all-packages --no-install-package sqlcipher3
	.venv/plain/bin/python -m pytest -q

faults: ## the whole fault suite: kills, losses of power, failing disks and more; an hour
	cd tests && $(RUN) python -m faults.whole --processes 2

check: lint types contracts spelling lock house ## everything but the tests

versions: ## types and tests on every Python the packages name; half an hour
	for python in 3.10 3.11 3.12 3.13; do \
		$(RUN) --isolated --python $$python mypy || exit 1; \
		$(RUN) --isolated --python $$python pytest -q || exit 1; \
	done

demo: ## remember in one process, ask in another
	uv run holdfast demo

bench: bench-speed ## speed beside peers, ten minutes; DATA='conversations.json ...' adds retrieval and tokens
	@test -z "$(DATA)" || $(MAKE) --no-print-directory bench-retrieval bench-tokens

bench-speed:
	$(RUN) --group bench python benchmarks/speed.py --sizes 1000 10000 --checks crowd

bench-retrieval:
	$(RUN) python benchmarks/retrieval.py --data $(DATA)

bench-tokens:
	for file in $(DATA); do $(RUN) --group bench python benchmarks/tokens.py "$$file" || exit 1; done

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' \
		| while IFS="$$(printf '\t')" read -r name text; do printf '  %-10s %s\n' "$$name" "$$text"; done
