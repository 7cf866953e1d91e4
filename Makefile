# Issue Timer's commands; `make help` lists them.
#
# Each tool's packages are in an environment of their own, because they pin others differently: .venv has
# the project with its tests and linters, .venv-sam the SAM CLI, .venv-ministack the AWS emulator.

PYTHON ?= python3
# Where `make run` listens, and where the other targets look for it.
PORT   ?= 4570
# A stack in AWS for the targets that work on a deployed one; the local stack if empty.
STACK  ?=
# `make deploy`: a section of samconfig.toml.
STAGE  ?= dev

SHELL        := bash
.SHELLFLAGS  := -euo pipefail -c
.DEFAULT_GOAL := help
# The environments are independent of each other, and pip keeps one core busy at most.
MAKEFLAGS    += --jobs=3
# So that nothing of the SAM CLI leaves the machine.
export SAM_CLI_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

venv         := .venv/.installed
sam          := .venv-sam/.installed
ministack    := .venv-ministack/.installed
on-stack     := $(if $(STACK),--stack $(STACK),--port $(PORT))

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

.PHONY: install
install: $(venv) $(sam) $(ministack) ## Install everything into .venv*, as the other targets do when they need it

# ------------------------------------------------------------------ local stack

.PHONY: run
run: $(venv) $(sam) $(ministack) ## Run the whole stack on this machine, without AWS and Docker [PORT=4570]
	@exec .venv/bin/python scripts/run_local.py --port $(PORT)

.PHONY: send
send: $(venv) ## Post an event as GitHub would: EVENT=events/issues.assigned.json [NAME=issues] [URL=...]
	@.venv/bin/python scripts/send_delivery.py $(call required,EVENT) $(on-stack) \
		$(if $(NAME),--event $(NAME)) $(if $(URL),--url $(URL))

.PHONY: token
token: $(venv) ## Register a person and make an API token: USER=<GitHub id or login> [LOGIN=...] [NAME=...] [DAYS=...]
	@.venv/bin/python scripts/manage_tokens.py $(on-stack) mint --user $(call given,USER) \
		$(if $(LOGIN),--login $(LOGIN)) $(if $(NAME),--name $(NAME)) $(if $(DAYS),--expires-days $(DAYS))

.PHONY: tokens
tokens: $(venv) ## List a person's tokens: USER=...
	@.venv/bin/python scripts/manage_tokens.py $(on-stack) list --user $(call given,USER)

.PHONY: revoke
revoke: $(venv) ## Revoke a token: USER=... ID=...
	@.venv/bin/python scripts/manage_tokens.py $(on-stack) revoke --user $(call given,USER) --id $(call required,ID)

.PHONY: logs
logs: $(venv) ## Print what the functions logged in the last 15 minutes
	@.venv/bin/python scripts/show_logs.py $(on-stack)

# ------------------------------------------------------------------ quality

.PHONY: test
test: $(venv) $(sam) $(ministack) ## Run the whole test suite
	.venv/bin/python -m tests.support.install_dynamodb_local
	.venv/bin/python -m pytest

.PHONY: lint
lint: $(venv) $(sam) ## Check style, types and template.yaml
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv-sam/bin/sam validate --lint --region us-east-1

.PHONY: format
format: $(venv) ## Put the code into the project's style
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

.PHONY: openapi
openapi: $(venv) ## Write docs/openapi.json anew from the routes
	.venv/bin/python scripts/write_openapi.py

.PHONY: bench
bench: build $(venv) ## Measure, and put the tables into docs/performance.md
	.venv/bin/python -m bench

# ------------------------------------------------------------------ AWS

.PHONY: build
build: $(sam) ## Build for AWS into .aws-sam: arm64 and Python 3.13 [LAYER_PLATFORM=x86_64] [LAYER_PYTHON=3.14]
	PYTHON="$(abspath .venv-sam/bin/python)" .venv-sam/bin/sam build --config-env $(STAGE)

.PHONY: deploy
deploy: build $(venv) ## Build, deploy and upload the page [STAGE=dev]
	.venv-sam/bin/sam deploy --config-env $(STAGE)
	.venv/bin/python scripts/upload_web.py --stack issue-timer-$(STAGE)

# ------------------------------------------------------------------ housekeeping

.PHONY: requirements
requirements: $(venv) ## Pin the newest versions anew, from requirements/*.in
	.venv/bin/python -m pip install --quiet uv
	cd requirements && compile() { ../.venv/bin/uv pip compile --quiet --upgrade --universal \
			--python-version 3.11 --custom-compile-command 'make requirements' "$$@"; } && \
		compile layer.in --output-file ../layers/timer_core/requirements.txt \
			$(addprefix --no-emit-package ,$(in-lambda-runtime)) && \
		compile dev.in --output-file dev.txt && \
		compile sam.in --output-file sam.txt && \
		compile ministack.in --output-file ministack.txt

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html: the runtime brings boto3 along.
in-lambda-runtime := boto3 botocore jmespath python-dateutil s3transfer six urllib3

.PHONY: clean
clean: ## Remove environments, builds, and the local stack with its data
	rm -rf .venv .venv-sam .venv-ministack .aws-sam .local .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name '*.egg-info' -prune -exec rm -rf {} +

# ------------------------------------------------------------------ environments

# The value of a variable, or an end with a message that says which one is missing. USER is always in the
# environment, so that one has to have come from the command line.
required = $(or $($(1)),$(error $(1)= is missing; see `make help`))
given    = $(if $(filter command line,$(origin $(1))),$($(1)),$(error $(1)= is missing; see `make help`))

# $(1): a folder, $(2): what it is for, $(3): its requirements.
define install-venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Issue Timer needs Python 3.11 or newer, and $(PYTHON) is '"$$($(PYTHON) -V 2>&1)."; \
		echo 'Name another one: make PYTHON=python3.13 ...'; exit 1; }
	@echo 'Installing $(2) into $(1) (once; it takes a minute)'
	@test -x $(1)/bin/pip || $(PYTHON) -m venv --clear $(1) || { \
		echo 'Python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv'; exit 1; }
	@$(1)/bin/python -m pip install --no-input --requirement $(3) > $(1)/pip.log 2>&1 || { \
		tail -n 20 $(1)/pip.log; echo 'pip failed; all it printed is in $(1)/pip.log'; exit 1; }
	@touch $@
endef

.venv/.requirements: requirements/dev.txt
	$(call install-venv,.venv,the packages of the project,$<)

.venv/.installed: .venv/.requirements pyproject.toml layers/timer_core/pyproject.toml
	@.venv/bin/python -m pip install --no-input --quiet --no-deps --no-build-isolation \
		--editable . --editable layers/timer_core
	@touch $@

.venv-sam/.installed: requirements/sam.txt
	$(call install-venv,.venv-sam,the SAM CLI,$<)

.venv-ministack/.installed: requirements/ministack.txt
	$(call install-venv,.venv-ministack,the AWS emulator,$<)
