# Everything starts here: `make` alone explains the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup run test test-pg15 test-ingest-long test-load-long test-deploy-long lint prose docs wheels release format describe bench sql zips base-image images test-images clean

help: ## explain the targets
	@grep -hE '^[a-z][a-z0-9-]*:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# What the images of the containers install; here their code runs in the one environment.
IMAGES := $(wildcard containers/*/requirements.txt)

$(VENV)/.installed: pyproject.toml locaria_reporter/pyproject.toml $(IMAGES)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ./locaria_reporter -e '.[dev]' $(IMAGES:%=-r %)
	@touch $@

setup: $(VENV)/.installed ## build .venv with everything that the project needs

run: setup ## load the world's airports: insert a row, watch it load, see the table
	@$(BIN)/locaria demo

# In the order of the folders: the quick tests of sql/ and web/ come last, and fill what is left of the cores.
AT_ONCE := -n 3 --dist loadfile --no-loadscope-reorder

test: setup lint ## set everything up and run the tests (embedded PostgreSQL 18)
	$(BIN)/pytest $(AT_ONCE)

test-pg15: setup ## run the tests again on PostgreSQL 15 (installed by the system's packages)
	LOCARIA_TEST_PG_BIN="$$(ls -d /usr/lib/postgresql/15/bin)" $(BIN)/pytest $(AT_ONCE)

test-ingest-long: setup ## 1,000 mixed bundles with kill -9, one of 100,000 files, one of 10 GB (22 GB of disk)
	$(BIN)/python -m tests.ingest.long_proof

test-load-long: setup ## memory of every format with larger files, values at row 3,000,000 that break a type (4 GB of disk)
	$(BIN)/python -m tests.containers.long_proof

test-deploy-long: setup ## a deployment killed, or interrupted, at every step, then gone on with (5 minutes)
	$(BIN)/python -m tests.deploy.long_proof

lint: setup ## format check, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy locaria locaria_reporter bench tools
	@for folder in containers/*/ lambda/*/; do \
	  if ls $$folder*.py >/dev/null 2>&1; then \
	    echo "mypy $$folder"; MYPYPATH=containers/modules:lambda/shared:. $(BIN)/mypy $$folder || exit 1; \
	  fi; \
	done

prose: setup ## list the words that docs/glossary.md rules out
	$(BIN)/python -m tools.prose_check

docs: setup ## build the documentation site, in build/site/html
	$(BIN)/python -m tools.site.build

wheels: setup ## build wheels and sdists of both packages, in dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m build --outdir dist locaria_reporter

release: setup ## prepare a release: make release VERSION=0.2.0 (publishing is left to a person)
	$(BIN)/python -m tools.release "$(VERSION)"

format: setup ## rewrite the code as the formatter wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

describe: setup ## generate openapi.json and asyncapi.json from the database's list of methods
	$(BIN)/python -m locaria.web.describe

bench: setup ## measure speed, as ratios against named peers in the same run
	$(BIN)/python -m bench

sql: setup ## print one plain install file, for a DBA who runs no alembic
	@$(BIN)/locaria db sql

zips: setup ## make the zips of the Lambda functions, in build/lambda
	$(BIN)/python -m locaria.deploy.zips

base-image: ## where no registry can be reached: a base by debootstrap and buildah, as root
	containers/make_base.sh localhost/locaria-base:bookworm

images: setup ## build every image (BASE=, PLATFORM=linux/amd64,linux/arm64, IMAGES_OPTIONS=)
	$(BIN)/python -m locaria.deploy.build_images $(BASE:%=--base=%) $(PLATFORM:%=--platform=%) $(IMAGES_OPTIONS)

test-images: images ## build all images, and use each: load, download, listen; Docker and a registry where there are any
	LOCARIA_TEST_IMAGES=1 $(BIN)/pytest -q -rs tests/deploy/test_images.py tests/deploy/test_docker.py tests/deploy/test_push.py

clean: ## stop the local runtime, remove .venv and the local database
	@if [ -x $(BIN)/locaria ]; then $(BIN)/locaria down; fi
	rm -rf $(VENV) .locaria
