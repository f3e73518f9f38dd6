# Targets install what they need inside this folder. `make help` lists them.
# `exec` passes a signal that stops make to the program instead of a shell between the two.

STAGE ?= dev
ROUNDS ?= 15
PYTHON ?= python3.13
CONTEXT =

# Nothing is written outside this folder, and `make clean` removes what was written.
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
# Until our code runs, Python answers Ctrl-C with a traceback, so GNU's env blocks the signal.
calmly = $(shell env --block-signal=INT true 2>/dev/null && echo env --block-signal=INT)
port = $(if $(PORT),--port "$(PORT)")

.PHONY: help setup run invoke code token test check docs screenshot timing bench load synth deploy destroy verify package release lock format clean node chromium

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

setup: node $(tests) $(emulator) $(test_packages) chromium ## install everything (the other targets install what they need)

run: node $(python) $(emulator) $(packages) ## run the service and its page on this machine: PORT=4566 WEB_PORT=3000
	@exec $(calmly) .venv/bin/python -m local run $(port) $(if $(WEB_PORT),--web-port "$(WEB_PORT)")

invoke: node $(python) $(emulator) $(packages) ## invoke one handler: OPERATION=reset_password EVENT=events/…
	@exec $(calmly) .venv/bin/python -m local invoke "$(OPERATION)" $(if $(EVENT),--event "$(EVENT)") $(port)

code: $(python) ## print the latest code mailed to the demo user
	@.venv/bin/python -m local code $(port)

# Neither make nor the shell may expand the password.
token: override export PASSWORD := $(value PASSWORD)
token: $(python) ## print an access token of the demo user: PASSWORD=…
	@.venv/bin/python -m local token $${PASSWORD:+--password="$$PASSWORD"} $(port)

test: node $(tests) $(emulator) $(test_packages) chromium ## run every check and test
	@exec .venv/bin/python -m tests

check: $(tests) ## run the quick checks: format, lint, types, prose, spelling
	@exec .venv/bin/python -m tests format lint types prose spelling

docs: $(python) ## regenerate openapi.json, the pages of docs/ and the English texts
	@.venv/bin/python -m apidocs

screenshot: node $(tests) $(emulator) $(test_packages) chromium ## take the pictures of the page again: docs/page*.png
	@exec .venv/bin/python -m tests.screenshot

timing: $(tests) ## measure whether response times reveal who has an account
	@exec .venv/bin/python -m benchmarks.timing

bench: $(tests) ## compare the speed with other implementations: ROUNDS=15
	@exec .venv/bin/python -m benchmarks --rounds "$(ROUNDS)"

load: node $(tests) $(emulator) $(packages) ## measure the local stack under load
	@exec .venv/bin/python -m benchmarks.load

synth: node $(python) $(packages) ## write the CloudFormation templates to cdk.out: STAGE=dev
	@echo "Synthesizing password-service-$(STAGE) into cdk.out" >&2
	@node_modules/.bin/cdk synth --quiet --context stage=$(STAGE) $(CONTEXT)

deploy: node $(python) $(packages) ## deploy to your AWS account: STAGE=dev CONTEXT='-c name=value'
	$(mention_approval)
	@node_modules/.bin/cdk deploy password-service-$(STAGE) --context stage=$(STAGE) \
		$(if $(APPROVE),--require-approval "$(APPROVE)") $(CONTEXT)

destroy: node $(python) $(packages) ## remove a stage from your AWS account: STAGE=dev
	$(mention_approval)
	@node_modules/.bin/cdk destroy password-service-$(STAGE) --context stage=$(STAGE) \
		$(if $(filter never,$(APPROVE)),--force) $(CONTEXT)

verify: $(python) ## check a deployed stage: STAGE=dev MAILBOX=you@example.com, or POLICY=1 alone
	@exec .venv/bin/python -m verification "$(STAGE)" $(if $(MAILBOX),--mailbox "$(MAILBOX)") \
		$(if $(POLICY),--policy) $(port)

define mention_approval
@test -t 0 || test -n "$(APPROVE)" || \
	echo "There is no terminal to ask for your approval: add APPROVE=never to continue without it." >&2
endef

package: node $(tests) ## build what is published: the wheel and the npm tarball, in dist/
	@.venv/bin/python -m release

release: $(tests) ## date the changelog, commit and tag a version: VERSION=1.2.3
	@.venv/bin/python -m release "$(VERSION)"

pin = .venv/bin/uv pip compile -q --universal --python-version 3.13 \
	--generate-hashes --no-header

lock: $(tests) ## pin the dependencies with hashes
	@echo "Resolving the dependencies" >&2
	@$(pin) --group functions -o functions/requirements.txt
	@$(pin) --group run -c functions/requirements.txt -o requirements.txt
	@$(pin) --group test -c requirements.txt -o tests/requirements.txt
	@$(pin) --group emulator -o local/requirements.txt
	@$(pin) --group runtime -o tests/bundle/requirements.txt
	@$(pin) --group rivals -c functions/requirements.txt -o benchmarks/rivals/requirements.txt

format: $(tests) ## format the code and apply safe fixes
	@.venv/bin/ruff check --fix --quiet; .venv/bin/ruff format

clean: ## remove everything that was installed or built here
	@rm -rf .venv .build .local node_modules cdk.out dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* verification.json verification.md
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Progress goes to stderr, because other commands use the output of `make -s token`.

define install
@$(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || \
	{ echo "Python 3.13 is needed, but $(PYTHON) does not run here. Install it, or set PYTHON." >&2; exit 1; }
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
@npm --version >/dev/null 2>&1 || { echo "npm is needed, but it does not run here. Install Node 20 or newer with npm." >&2; exit 1; }
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
		{ echo "Node 20 or newer is needed, but node does not run here." >&2; exit 1; }

# Debian's package, because not everyone can reach the host of Playwright's own builds.
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		root=; test "$$(id -u 2>/dev/null)" = 0 || root="sudo -n"; \
		$$root true 2>/dev/null && echo "Installing the package chromium" >&2 && { \
			$$root apt-get update && \
			$$root apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1; } || \
		{ echo "Chromium is needed: install the package chromium, or Google Chrome." >&2; exit 1; }
