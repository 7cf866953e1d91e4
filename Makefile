# Issue Timer's commands; `make help` lists them.
#
# Each tool has its own environment, because the tools pin different versions of the same packages: .venv contains
# the project with its tests and linters, .venv-sam the SAM CLI, .venv-ministack the AWS emulator, .venv-lambda the
# packages of Lambda's runtime, .venv-checkov checkov, .venv-node Node, which installs the JavaScript tools into
# node_modules, and .venv-peer Django for `make bench-peer`. uv, which is part of .venv, installs the other
# environments.

PYTHON ?= python3
# The port of the local stack.
PORT   ?= 4570
# The section of samconfig.toml that `make deploy` reads. Environment variables do not override it.
STAGE  := dev

SHELL        := bash
.SHELLFLAGS  := -euo pipefail -c
.DEFAULT_GOAL := help
# Install the environments in parallel. They are independent of each other, and each installation uses one core.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS    += --jobs=3
endif
# Disable the SAM CLI's telemetry.
export SAM_CLI_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Unset this variable, which containers often set. With it, Python stores no byte code, so every process compiles
# all modules that it imports.
export PYTHONDONTWRITEBYTECODE :=

venv         := .venv/.installed
sam          := .venv-sam/.installed
ministack    := .venv-ministack/.installed
checkov      := .venv-checkov/.installed
lambda       := .venv-lambda/.installed
node         := .venv-node/.installed
peer         := .venv-peer/.installed
javascript   := node_modules/.installed
on-port       = --port '$(subst ','\'',$(PORT))'
on-stack      = $(or $(call option,--stack,STACK),$(on-port))

# given:    the value of an option, quoted for the shell.
# required: the quoted value of an option; a missing option is an error.
# option:   a tool's flag followed by the value.
# Options are read from the command line only, because shells may have variables of the same names, such as
# USER. An empty option is an error. Otherwise STACK=$NAME would select the local stack if NAME is not set.
given    = $(if $(filter command,$(origin $(1))),$(if $(strip $($(1))),'$(subst ','\'',$($(1)))',$(error $(1)= is empty)))
required = $(or $(call given,$(1)),$(error $(1)= is missing; see `make help`))
option   = $(if $(call given,$(2)),$(1) $(call given,$(2)))

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 28
	@echo; echo 'The targets from send to deploy-web work on the local stack at PORT, or with STACK=<name> on one in AWS;'
	@echo 'demo, invoke, invoke-env and aws-env work on the local stack only.'

.PHONY: install
install: $(venv) $(sam) $(ministack) $(lambda) $(checkov) $(javascript) back-ends ## Install everything now; otherwise each target installs its needs

# ------------------------------------------------------------------ a stack: the local one, or STACK=...

.PHONY: run
run: $(venv) $(sam) $(ministack) ## Run the product on this machine, without AWS and Docker [PORT=4570] [SET="AdminLogins=... ..."]
	@exec .venv/bin/python scripts/run_local.py $(on-port) $(call option,--set,SET)

.PHONY: demo
demo: $(venv) ## Fill the local stack with a month of a small team's work [REMOVE=1: remove it]
	@.venv/bin/python scripts/fill_demo.py $(on-stack) $(if $(call given,REMOVE),--remove)

.PHONY: send
send: $(venv) ## Send a delivery as GitHub would: EVENT=events/issues.assigned.json [NAME=issues] [URL=...]
	@.venv/bin/python scripts/send_delivery.py $(call required,EVENT) $(on-stack) \
		$(call option,--event,NAME) $(call option,--url,URL)

.PHONY: invoke
invoke: $(venv) $(sam) $(ministack) $(lambda) ## Run a built function under AWS's emulator: FUNCTION=... EVENT=events/...json
	@.venv/bin/python scripts/invoke.py $(on-port) run $(call required,FUNCTION) $(call required,EVENT)

.PHONY: invoke-env
invoke-env: $(venv) ## Print the functions' environment on the local stack for `sam local invoke --env-vars`
	@.venv/bin/python scripts/invoke.py $(on-port) environment

.PHONY: aws-env
aws-env: $(venv) ## Print the environment with which the AWS CLI uses the local stack: eval "$(make aws-env)"
	@.venv/bin/python scripts/invoke.py $(on-port) aws

.PHONY: token
token: $(venv) ## Register a person and create an API token: USER=<GitHub id or login> [LOGIN=...] [NAME=...] [DAYS=...]
	@.venv/bin/python scripts/manage_people.py $(on-stack) token mint --user $(call required,USER) \
		$(call option,--login,LOGIN) $(call option,--name,NAME) $(call option,--expires-days,DAYS)

.PHONY: tokens
tokens: $(venv) ## List a person's tokens: USER=...
	@.venv/bin/python scripts/manage_people.py $(on-stack) token list --user $(call required,USER)

.PHONY: revoke
revoke: $(venv) ## Revoke a token: USER=... ID=...
	@.venv/bin/python scripts/manage_people.py $(on-stack) token revoke --user $(call required,USER) --id $(call required,ID)

.PHONY: sign-out
sign-out: $(venv) ## End all sessions of a person and revoke all of their tokens: USER=...
	@.venv/bin/python scripts/manage_people.py $(on-stack) person sign-out --user $(call required,USER)

.PHONY: erase
erase: $(venv) ## Delete a person's account with all of their tokens and timers: USER=...
	@.venv/bin/python scripts/manage_people.py $(on-stack) person erase --user $(call required,USER)

.PHONY: logs
logs: $(venv) ## Print the functions' logs of the last 15 minutes [ALL=1: metrics and Lambda's lines too]
	@.venv/bin/python scripts/show_logs.py $(on-stack) $(if $(call given,ALL),--all)

.PHONY: secret
secret: $(venv) ## Print the webhook's secret, for GitHub's settings
	@.venv/bin/python scripts/operate.py $(on-stack) secret

.PHONY: rotate-session-key
rotate-session-key: $(venv) ## Rotate the key that signs sessions [DONE=1: end the rotation] [LEAKED=1: end all sessions]
	@.venv/bin/python scripts/operate.py $(on-stack) session-key $(if $(call given,DONE),--done) \
		$(if $(call given,LEAKED),--leaked)

.PHONY: settings
settings: $(venv) ## Print or change the organization's settings [SET="concurrent_timers=shared overtime_hours=2 ..."]
	@.venv/bin/python scripts/operate.py $(on-stack) settings $(call option,--set,SET)

.PHONY: sweep
sweep: $(venv) ## Run the sweeper now and print its summary [DRY_RUN=1: only count]
	@.venv/bin/python scripts/operate.py $(on-stack) sweep $(if $(call given,DRY_RUN),--dry-run)

.PHONY: dead-letters
dead-letters: $(venv) ## Print up to ten dead letters (deliveries that failed ten times)
	@.venv/bin/python scripts/operate.py $(on-stack) dead-letters

.PHONY: redrive
redrive: $(venv) ## Queue the dead letters again
	@.venv/bin/python scripts/operate.py $(on-stack) redrive

.PHONY: migrate
migrate: $(venv) ## After an upgrade: migrate open timers to the current schema version, while the stack runs
	@.venv/bin/python scripts/operate.py $(on-stack) migrate

.PHONY: timesheets
timesheets: $(venv) ## Store everybody's days that are behind [REBUILD=1: derive all days anew, after a rule has changed]
	@.venv/bin/python scripts/operate.py $(on-stack) timesheets $(if $(call given,REBUILD),--rebuild)

.PHONY: outputs
outputs: $(venv) ## Print the stack's outputs: its addresses and names
	@.venv/bin/python scripts/operate.py $(on-stack) outputs

.PHONY: restore
restore: $(venv) ## Restore the table: AT=2026-11-29T14:05:00Z or TABLE=<a restored table> [YES=1: never ask]
	$(if $(and $(call given,AT),$(call given,TABLE)),$(error AT= and TABLE= exclude each other: see `make help`))
	@.venv/bin/python scripts/operate.py $(on-stack) restore \
		$(or $(call option,--table,TABLE),--at $(call required,AT)) $(if $(call given,YES),--yes)

.PHONY: github-app
github-app: $(venv) ## Register a GitHub App for the stack, and store its credentials [ORG=...] [URL=...]
	@$(connect-github) app $(call option,--org,ORG) $(call option,--url,URL) $(call option,--github-url,GITHUB_URL)

.PHONY: github-key
github-key: $(venv) ## Store a new key of the App: APP_ID=... KEY=<the .pem downloaded from GitHub>
	@$(connect-github) key --app-id $(call required,APP_ID) --file $(call required,KEY)

.PHONY: github-token
github-token: $(venv) ## Store a token for GitHub's API instead of an App, typed without echo or piped in
	@$(connect-github) token

.PHONY: github-oauth
github-oauth: $(venv) ## Store the OAuth client for signing in, its secret typed without echo: CLIENT_ID=... [or REMOVE=1]
	@$(connect-github) oauth $(if $(call given,REMOVE),--remove,--client-id $(call required,CLIENT_ID)) \
		$(call option,--github-url,GITHUB_URL)

.PHONY: github-remove
github-remove: $(venv) ## Remove the App's key, or the token
	@$(connect-github) remove

.PHONY: github-rotate
github-rotate: $(venv) ## Rotate the webhook's secret [DONE=1: end it, and accept the previous secret no longer]
	@$(connect-github) rotate $(if $(call given,DONE),--done)

connect-github = .venv/bin/python scripts/connect_github.py $(on-stack) $(call option,--api-url,GITHUB_API_URL)

.PHONY: deploy-web
deploy-web: $(venv) ## Upload the changed files of the page
	@.venv/bin/python scripts/deploy_web.py $(on-stack)

# ------------------------------------------------------------------ quality

# The folders and files of tests to run, and their prerequisites.
paths       = $(if $(call given,ONLY),$(patsubst ./%,%,$(ONLY:%/=%)),tests)
# $(call if-in,folders,prerequisite): the prerequisite if the tests in one of these folders are run.
if-in       = $(if $(filter tests $(1:%=tests/%%),$(paths)),$(2))
tests-need  = $(venv) $(node) $(if $(filter tests tests/unit,$(paths)),unit-js) \
	$(call if-in,integration concurrency,dynamodb-local) \
	$(call if-in,unit integration e2e browser,$(sam)) \
	$(call if-in,unit,$(checkov)) \
	$(call if-in,concurrency e2e browser,$(ministack)) \
	$(call if-in,e2e,$(lambda)) \
	$(call if-in,unit integration e2e browser,github-schema) \
	$(call if-in,browser,chromium)
# Use a worker for each core: the emulator, its functions and Chromium need the cores too, and with more workers they
# get too slow for the tests' timeouts. A single file runs without workers.
workers     = $(if $(and $(findstring .py,$(paths)),$(filter 1,$(words $(paths)))),0,$$(.venv/bin/python -c \
	'import os; print(max(2, min(4, os.cpu_count() or 1)))') --dist loadgroup --no-loadscope-reorder)

.PHONY: test unit integration e2e browser coverage
test: $(tests-need) ## Run all tests, or some: [ONLY='tests/unit/test_ids.py ...'] [EXAMPLES=dev|ci|nightly]
	.venv/bin/python -m pytest --numprocesses $(workers) --durations 25 --durations-min 1 \
		$(call option,--hypothesis-profile,EXAMPLES) $(foreach path,$(paths),'$(subst ','\'',$(path))')

unit: ## Run the unit tests of Python and JavaScript, which need no emulator and no browser
	@$(MAKE) --no-print-directory test ONLY=tests/unit

integration: ## Run the tests on DynamoDB Local, among them the races
	@$(MAKE) --no-print-directory test ONLY='tests/integration tests/concurrency'

e2e: ## Run the tests of the stack in the emulator
	@$(MAKE) --no-print-directory test ONLY=tests/e2e

browser: ## Run the tests of the pages and the widget in Chromium
	@$(MAKE) --no-print-directory test ONLY=tests/browser

coverage: ## Run the unit and integration tests and print how much of the Python code they cover
	@PYTEST_ADDOPTS=--cov $(MAKE) --no-print-directory test ONLY='tests/unit tests/integration'

.PHONY: back-ends dynamodb-local github-schema chromium
back-ends: dynamodb-local github-schema chromium

dynamodb-local: $(venv) $(node)
	@.venv/bin/python -m tests.support.install_dynamodb_local

github-schema: $(venv) $(node)
	@.venv/bin/python -m tests.support.install_github_schema

chromium: $(venv) $(node)
	@.venv/bin/python -m tests.support.install_chromium

.PHONY: lint
lint: lint-js $(venv) $(sam) $(checkov) ## Check style, types, spelling, the lock files and template.yaml
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/codespell
	.venv/bin/shellcheck .ci/run
	.venv/bin/python -m release.requirements
	.venv-sam/bin/sam validate --lint --region us-east-1
	.venv-sam/bin/cfn-lint template.yaml
	.venv-checkov/bin/checkov --config-file .checkov.yaml

.PHONY: lint-js
lint-js: $(javascript) ## Check style and types of web/ and its tests
	$(biome) check
	$(tsc) --project .
	$(tsc) --project tests/javascript

.PHONY: unit-js
unit-js: $(javascript) ## Run the JavaScript tests that need no browser
	.venv-node/bin/node --test 'tests/javascript/*.test.js'

.PHONY: format
format: $(venv) $(javascript) ## Format the code
	.venv/bin/ruff check --fix
	.venv/bin/ruff format
	$(biome) check --write

biome = .venv-node/bin/node node_modules/@biomejs/biome/bin/biome
tsc   = .venv-node/bin/node node_modules/typescript/bin/tsc

.PHONY: screenshots
screenshots: $(venv) $(sam) $(ministack) ## Take the pictures in docs/screenshots, and record the animation of the demo
	.venv/bin/python -m tests.support.install_chromium
	SCREENSHOTS=1 .venv/bin/python -m pytest -k test_the_widget_is_accessible tests/browser/test_widget_looks.py
	.venv/bin/python -m pytest tests/browser/take_screenshots_of_pages.py tests/browser/record_demo.py

.PHONY: openapi
openapi: $(venv) ## Generate docs/openapi.json from the routes
	.venv/bin/python scripts/write_openapi.py

.PHONY: release-check
release-check: lint ## Check that this commit can be released as its version
	@.venv/bin/python scripts/check_release.py

.PHONY: bench
bench: build $(venv) ## Measure, and update the tables of docs/performance.md and docs/cost.md
	.venv/bin/python -m bench

.PHONY: bench-peer
bench-peer: $(venv) $(peer) dynamodb-local ## Measure beside a Django peer, and update its tables; needs an installed PostgreSQL
	.venv/bin/python -m bench peer

.PHONY: budget
budget: $(venv) $(sam) dynamodb-local ## Write bench/budget.json, the instructions that cold starts may take, anew
	.venv/bin/python -m bench.budget --write

# ------------------------------------------------------------------ AWS

.PHONY: build
build: $(venv) $(sam) ## Build for AWS into .aws-sam [STAGE=dev] [ARCH=arm64] [RUNTIME=python3.13]
	@.venv/bin/python scripts/deploy.py --build-only $(for-aws)

.PHONY: deploy
deploy: $(venv) $(sam) ## Build, deploy and upload the page [STAGE=dev] [ARCH=arm64] [RUNTIME=python3.13] [YES=1: never ask]
	@.venv/bin/python scripts/deploy.py $(for-aws) $(if $(call given,YES),--yes)

for-aws = --stage '$(STAGE)' $(call option,--arch,ARCH) $(call option,--runtime,RUNTIME)

# ------------------------------------------------------------------ housekeeping

.PHONY: requirements
requirements: $(venv) ## Pin the newest versions of the packages in requirements/*.in
	cd requirements && compile() { ../.venv/bin/uv pip compile --quiet --upgrade --universal \
			--generate-hashes --no-strip-extras --python-version 3.11 --custom-compile-command 'make requirements' "$$@"; } && \
		compile layer.in --output-file ../layers/timer_core/requirements.txt && \
		compile background.in --output-file ../layers/background/requirements.txt \
			$(addprefix --no-emit-package ,$(in-core-layer) pycparser) && \
		compile holidays.in --output-file ../layers/holidays/requirements.txt \
			$(addprefix --no-emit-package ,$(in-core-layer)) && \
		compile reports.in --output-file ../layers/reports/requirements.txt && \
		compile dev.in --output-file dev.txt && \
		compile sam.in --output-file sam.txt && \
		compile lambda.in --output-file lambda.txt && \
		compile checkov.in --output-file checkov.txt && \
		compile ministack.in --output-file ministack.txt && \
		compile node.in --output-file node.txt && \
		compile peer.in --output-file peer.txt && \
		compile uv.in --output-file uv.txt

# The packages that other layers need too. Every function has the layer of timer_core.
in-core-layer := botocore jmespath python-dateutil six urllib3

.PHONY: clean
clean: ## Remove environments, builds, and the local stack with its data
	@for folder in .local/stack-*; do \
		if (: < "/dev/tcp/127.0.0.1/$${folder##*-}") 2> /dev/null; then \
			echo "The local stack on port $${folder##*-} is running: stop it first, with Ctrl-C."; exit 1; \
		fi; \
	done
	rm -rf .venv .venv-sam .venv-ministack .venv-lambda .venv-checkov .venv-node .venv-peer node_modules .aws-sam .local .mypy_cache .pytest_cache .hypothesis .coverage .cache
	find . \( -name __pycache__ -o -name '*.egg-info' -o -name .ruff_cache \) -prune -exec rm -rf {} +

# ------------------------------------------------------------------ environments

.venv/.uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Issue Timer needs Python 3.11 or newer, and $(PYTHON) is '"$$($(PYTHON) -V 2>&1)."; \
		echo 'Name another one: make PYTHON=python3.13 ...'; exit 1; }
	@test -x .venv/bin/pip || $(PYTHON) -m venv --clear .venv || { $(PYTHON) -c 'import ensurepip' 2> /dev/null || \
		echo 'Python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv'; exit 1; }
	@.venv/bin/python -m pip install --no-input --quiet --no-deps --requirement $<
	@touch $@

# $(1): the folder of an environment, $(2): its description in messages, $(3): the file of its requirements.
# pip installs them if uv fails, because uv does not read pip's configuration, which may name a mirror.
define install-venv
	@echo 'Installing $(2) into $(1)'; \
	trap 'exit 130' INT; \
	test -x $(1)/bin/python || $(PYTHON) -m venv --clear --without-pip $(1); \
	{ .venv/bin/uv pip install --python $(1)/bin/python --no-deps --requirement $(3) || \
		.venv/bin/python -m pip --python $(1)/bin/python install --no-input --no-deps --requirement $(3); \
	} > $(1)/install.log 2>&1 || { \
		tail -n 20 $(1)/install.log; echo 'The installation failed; its output is in $(1)/install.log'; exit 1; }; \
	echo "$(1) is ready after $$SECONDS s"
	@touch $@
endef

.venv/.requirements .venv-sam/.installed .venv-ministack/.installed .venv-lambda/.installed \
	.venv-checkov/.installed .venv-node/.installed .venv-peer/.installed: | .venv/.uv

.venv/.requirements: requirements/dev.txt
	$(call install-venv,.venv,the packages of the project,$<)

# The installation lists the packages, so a new one needs another.
.venv/.installed: .venv/.requirements pyproject.toml layers/timer_core/pyproject.toml $(wildcard functions/*/__init__.py)
	@.venv/bin/uv pip install --python .venv/bin/python --quiet --no-deps --no-build-isolation --offline \
		--editable . --editable layers/timer_core
	@touch $@

.venv-sam/.installed: requirements/sam.txt
	$(call install-venv,.venv-sam,the SAM CLI,$<)

.venv-ministack/.installed: requirements/ministack.txt
	$(call install-venv,.venv-ministack,the AWS emulator,$<)

.venv-lambda/.installed: requirements/lambda.txt
	$(call install-venv,.venv-lambda,the runtime of Lambda,$<)

.venv-checkov/.installed: requirements/checkov.txt
	$(call install-venv,.venv-checkov,checkov,$<)

.venv-node/.installed: requirements/node.txt
	$(call install-venv,.venv-node,Node,$<)

.venv-peer/.installed: requirements/peer.txt
	$(call install-venv,.venv-peer,the Django peer,$<)

node_modules/.installed: .venv-node/.installed package.json package-lock.json .npmrc
	@echo 'Installing the JavaScript tools into node_modules'
	@.venv-node/bin/npm ci --silent --no-progress
	@touch $@
