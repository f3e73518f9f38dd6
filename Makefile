# Everything is installed on demand, inside this folder. `make help` lists what there is.
# `exec` lets a signal that stops make reach the program, and not a shell between the two.

PORT ?= 4566
STAGE ?= dev
ROUNDS ?= 15
PYTHON ?= python3.13
CONTEXT =

# Node 20 is old enough for a banner, which would hide what matters.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION = 20

functions = .venv/.installed
emulator = .local/emulator/.installed
cdk = node_modules/.package-lock.json

.PHONY: help setup run invoke code token test timing bench synth deploy destroy lock format clean node

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

setup: node $(functions) $(emulator) $(cdk) ## install everything; the other targets do so themselves

run: node $(functions) $(emulator) $(cdk) ## start the service on this machine: PORT=4566
	@exec .venv/bin/python -m local run --port "$(PORT)"

invoke: node $(functions) $(emulator) $(cdk) ## call one handler: OPERATION=reset_password EVENT=events/…
	@exec .venv/bin/python -m local invoke "$(OPERATION)" $(if $(EVENT),--event "$(EVENT)")

code: $(functions) ## print the latest code that `make run` mailed to the demo user
	@.venv/bin/python -m local code

token: $(functions) ## print an access token of the demo user: PASSWORD=…
	@.venv/bin/python -m local token $(if $(PASSWORD),--password '$(PASSWORD)')

test: node $(functions) $(emulator) $(cdk) ## check format, lint and types, and run every test
	@exec .venv/bin/python -m tests

timing: $(functions) ## measure whether the time of an answer tells who has an account
	@exec .venv/bin/python -m benchmarks.timing

bench: $(functions) ## measure this service beside the usual ways to write it: ROUNDS=15
	@exec .venv/bin/python -m benchmarks --rounds "$(ROUNDS)"

synth: node $(functions) $(cdk) ## write the CloudFormation template to cdk.out: STAGE=dev
	@echo "Synthesizing password-service-$(STAGE) into cdk.out" >&2
	@node_modules/.bin/cdk synth --quiet --context stage=$(STAGE) $(CONTEXT)

deploy: node $(functions) $(cdk) ## deploy to the AWS account of the environment: STAGE=dev
	@node_modules/.bin/cdk deploy password-service-$(STAGE) --context stage=$(STAGE) $(CONTEXT)

destroy: node $(functions) $(cdk) ## remove a stage from the AWS account: STAGE=dev
	@node_modules/.bin/cdk destroy password-service-$(STAGE) --context stage=$(STAGE) $(CONTEXT)

pin = .venv/bin/uv pip compile pyproject.toml -q --universal --python-version 3.13 \
	--generate-hashes --no-header

lock: $(functions) ## pin the dependencies of pyproject.toml again
	@echo "Resolving the dependencies" >&2
	@$(pin) --group functions -o functions/requirements.txt
	@$(pin) --group dev -c functions/requirements.txt -o requirements.txt
	@$(pin) --group emulator -o local/requirements.txt
	@$(pin) --group runtime -o tests/bundle/requirements.txt
	@$(pin) --group rivals -c functions/requirements.txt -o benchmarks/rivals/requirements.txt

format: $(functions) ## format the code and apply the linter's safe fixes
	@.venv/bin/ruff check --fix --quiet; .venv/bin/ruff format

clean: ## remove all that was installed or built here
	@rm -rf .venv .build .local node_modules cdk.out .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Progress goes to stderr: what `make -s token` prints is put into other commands.

define virtual_environment
@$(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || \
	{ echo "Python 3.13 is needed, and $(PYTHON) does not run here." >&2; exit 1; }
@echo "Installing $< into $(@D)" >&2
@$(PYTHON) -m venv $(@D)
@$(@D)/bin/pip install -qq --disable-pip-version-check --require-hashes -r $<
@touch $@
endef

$(functions): requirements.txt
	$(virtual_environment)

$(emulator): local/requirements.txt
	$(virtual_environment)

$(cdk): package-lock.json | node
	@npm --version >/dev/null 2>&1 || { echo "npm is needed, and it does not run here." >&2; exit 1; }
	@echo "Installing package-lock.json into node_modules" >&2
	@npm ci --loglevel=error --no-audit --no-fund >/dev/null
	@touch $@

node:
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null || \
		{ echo "Node 20 or newer is needed, and node does not run here." >&2; exit 1; }
