# `make` alone lists what there is. Everything runs in the environment that uv keeps.
RUN := uv run --all-packages

.DEFAULT_GOAL := help
.PHONY: install format lint types contracts spelling lock house test check demo bench bench-retrieval bench-tokens help

install: ## make the environment, with every package of the workspace
	uv sync --all-packages

format: ## format the code, and mend what ruff can mend
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

lint: ## formatting and ruff's rules
	$(RUN) ruff format --check .
	$(RUN) ruff check .

types: ## mypy, strict
	$(RUN) mypy

contracts: ## who may import whom
	$(RUN) lint-imports

spelling: ## codespell
	$(RUN) codespell

lock: ## uv.lock fits pyproject.toml
	uv lock --check

house: ## versions in step, nothing named that must not be
	$(RUN) pytest -q tests/test_packaging.py

test: ## all tests
	$(RUN) pytest

check: lint types contracts spelling lock house ## everything but the tests

demo: ## remember in one process, ask in another
	uv run holdfast demo

bench: ## benchmarks; DATA= names files of conversations (see holdfast.readers)
	@test -n "$(DATA)" || { echo "usage: make bench DATA='conversations.json ...'"; exit 2; }
	@for script in retrieval tokens; do \
		[ ! -e benchmarks/$$script.py ] || $(MAKE) --no-print-directory bench-$$script || exit 1; \
	done

bench-retrieval:
	$(RUN) python benchmarks/retrieval.py --data $(DATA)

bench-tokens:
	for file in $(DATA); do $(RUN) --group bench python benchmarks/tokens.py "$$file" || exit 1; done

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' \
		| while IFS="$$(printf '\t')" read -r name text; do printf '  %-10s %s\n' "$$name" "$$text"; done
