# Everything is installed on demand, inside this folder. `make help` lists what there is.
# `exec` lets a signal that stops make reach the program, and not a shell between the two.

STAGE ?= dev
ROUNDS ?= 15
PYTHON ?= python3.13
CONTEXT =

# Nothing is written outside this folder, and `make clean` removes what is written in it.
export CDK_HOME = $(CURDIR)/.local/cdk
export JSII_NODE = $(CURDIR)/local/jsii-node
export PIP_NO_CACHE_DIR = 1
export UV_NO_CACHE = 1
export XDG_CACHE_HOME = $(CURDIR)/.local/cache
export npm_config_cache = $(CURDIR)/.local/npm

python = .venv/.installed
tests = .venv/.tests-installed
emulator = .local/emulator/.installed
packages = node_modules/.package-lock.json
test_packages = node_modules/.tests-installed
# Python answers Ctrl-C with a traceback until our code runs. GNU's env can hold it back until then.
calmly = $(shell env --block-signal=INT true 2>/dev/null && echo env --block-signal=INT)
port = $(if $(PORT),--port "$(PORT)")

.PHONY: help setup run invoke code token test check docs screenshot timing bench load synth deploy destroy lock format clean node chromium

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

setup: node $(tests) $(emulator) $(test_packages) chromium ## install everything; the other targets do so themselves

run: node $(python) $(emulator) $(packages) ## start the service on this machine: PORT=4566 WEB_PORT=3000
	@exec $(calmly) .venv/bin/python -m local run $(port) $(if $(WEB_PORT),--web-port "$(WEB_PORT)")

invoke: node $(python) $(emulator) $(packages) ## call one handler: OPERATION=reset_password EVENT=events/…
	@exec $(calmly) .venv/bin/python -m local invoke "$(OPERATION)" $(if $(EVENT),--event "$(EVENT)") $(port)

code: $(python) ## print the latest code that `make run` mailed to the demo user
	@.venv/bin/python -m local code $(port)

# The password reaches the program as it was typed: neither make nor the shell expands it.
token: override export PASSWORD := $(value PASSWORD)
token: $(python) ## print an access token of the demo user: PASSWORD=…
	@.venv/bin/python -m local token $${PASSWORD:+--password="$$PASSWORD"} $(port)

test: node $(tests) $(emulator) $(test_packages) chromium ## check format, lint and types, and run every test
	@exec .venv/bin/python -m tests

check: $(tests) ## check format, lint and types alone
	@exec .venv/bin/python -m tests format lint types

docs: $(python) ## write openapi.json and the generated pages of docs/ from the declarations
	@.venv/bin/python -m apidocs

screenshot: node $(tests) $(emulator) $(test_packages) chromium ## take the pictures of the page again: docs/page*.png
	@exec .venv/bin/python -m tests.screenshot

timing: $(tests) ## measure whether the time of an answer tells who has an account
	@exec .venv/bin/python -m benchmarks.timing

bench: $(tests) ## measure this service beside the usual ways to write it: ROUNDS=15
	@exec .venv/bin/python -m benchmarks --rounds "$(ROUNDS)"

load: node $(tests) $(emulator) $(packages) ## measure the local stack below its throttles and far above
	@exec .venv/bin/python -m benchmarks.load

synth: node $(python) $(packages) ## write the CloudFormation template to cdk.out: STAGE=dev
	@echo "Synthesizing password-service-$(STAGE) into cdk.out" >&2
	@node_modules/.bin/cdk synth --quiet --context stage=$(STAGE) $(CONTEXT)

deploy: node $(python) $(packages) ## deploy to the AWS account of the environment: STAGE=dev
	$(mention_approval)
	@node_modules/.bin/cdk deploy password-service-$(STAGE) --context stage=$(STAGE) \
		$(if $(APPROVE),--require-approval "$(APPROVE)") $(CONTEXT)

destroy: node $(python) $(packages) ## remove a stage from the AWS account: STAGE=dev
	$(mention_approval)
	@node_modules/.bin/cdk destroy password-service-$(STAGE) --context stage=$(STAGE) \
		$(if $(filter never,$(APPROVE)),--force) $(CONTEXT)

define mention_approval
@test -t 0 || test -n "$(APPROVE)" || \
	echo "There is no terminal to ask for your approval: add APPROVE=never to go on without." >&2
endef

pin = .venv/bin/uv pip compile pyproject.toml -q --universal --python-version 3.13 \
	--generate-hashes --no-header

lock: $(tests) ## pin the dependencies of pyproject.toml again
	@echo "Resolving the dependencies" >&2
	@$(pin) --group functions -o functions/requirements.txt
	@$(pin) --group run -c functions/requirements.txt -o requirements.txt
	@$(pin) --group test -c requirements.txt -o tests/requirements.txt
	@$(pin) --group emulator -o local/requirements.txt
	@$(pin) --group runtime -o tests/bundle/requirements.txt
	@$(pin) --group rivals -c functions/requirements.txt -o benchmarks/rivals/requirements.txt

format: $(tests) ## format the code and apply the linter's safe fixes
	@.venv/bin/ruff check --fix --quiet; .venv/bin/ruff format

clean: ## remove all that was installed or built here
	@rm -rf .venv .build .local node_modules cdk.out .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Progress goes to stderr: what `make -s token` prints is put into other commands.

define install
@$(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || \
	{ echo "Python 3.13 is needed, and $(PYTHON) does not run here." >&2; exit 1; }
@echo "Installing $< into $(@D)" >&2
@test -x $(@D)/bin/pip || $(PYTHON) -m venv $(@D)
@$(@D)/bin/pip install -qq --disable-pip-version-check --require-hashes -r $<
@touch $@
endef

$(python): requirements.txt
	$(install)

$(tests): tests/requirements.txt | $(python)
	$(install)

$(emulator): local/requirements.txt
	$(install)

define install_packages
@npm --version >/dev/null 2>&1 || { echo "npm is needed, and it does not run here." >&2; exit 1; }
@echo "Installing $< into $(@D)" >&2
@npm ci --loglevel=error --no-audit --no-fund $(1) >/dev/null
@touch $(packages) $@
endef

$(packages): package-lock.json | node
	$(call install_packages,--omit=dev)

$(test_packages): package-lock.json | node
	$(call install_packages)

node:
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null || \
		{ echo "Node 20 or newer is needed, and node does not run here." >&2; exit 1; }

# Debian's package; Playwright's own builds come from a host that not everyone reaches.
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		root=; test "$$(id -u 2>/dev/null)" = 0 || root="sudo -n"; \
		$$root true 2>/dev/null && echo "Installing the package chromium" >&2 && { \
			$$root apt-get update && \
			$$root apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1; } || \
		{ echo "Chromium is needed: install the package chromium, or Google Chrome." >&2; exit 1; }
