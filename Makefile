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
export UV_CACHE_DIR = $(CURDIR)/.local/cache/uv
export XDG_CACHE_HOME = $(CURDIR)/.local/cache
export npm_config_cache = $(CURDIR)/.local/npm

# Until our code runs, Python answers Ctrl-C with a traceback, so GNU's env blocks the signal.
calmly = $(shell env --block-signal=INT true 2>/dev/null && echo env --block-signal=INT)
port = $(if $(PORT),--port "$(PORT)")

installing = install-service install-cdk install-run install-package install-checks install-tests install-all
.PHONY: $(installing) help setup run invoke code token test test-all test-slow check docs screenshot timing bench synth deploy destroy verify support package release lock format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

setup: install-tests ## install everything (the other targets install what they need)

run: install-run ## run the service and its page here: PORT=4566 WEB_PORT=3000 ORIGIN=http://localhost:5173
	@exec $(calmly) .venv/bin/python -m local run $(port) $(if $(WEB_PORT),--web-port "$(WEB_PORT)") \
		$(if $(ORIGIN),--origin "$(ORIGIN)")

invoke: install-run ## invoke one handler: OPERATION=reset_password EVENT=events/…
	@exec $(calmly) .venv/bin/python -m local invoke "$(OPERATION)" $(if $(EVENT),--event "$(EVENT)") $(port)

code: install-service ## print the latest code mailed to the demo user
	@.venv/bin/python -m local code $(port)

# Neither make nor the shell may expand the password.
token: override export PASSWORD := $(value PASSWORD)
token: install-service ## print an access token of the demo user: PASSWORD=…
	@.venv/bin/python -m local token $${PASSWORD:+--password="$$PASSWORD"} $(port)

test: install-tests ## prove the product, or run some tests: ONLY=tests/unit/test_limits.py
	@exec .venv/bin/python -m $(if $(ONLY),pytest $(ONLY),tests)

test-all: install-all ## run every check and test, which needs Chromium
	@exec .venv/bin/python -m tests all

test-slow: install-tests ## `make test` on a third of one processor (Linux): ONLY=…
	@exec tests/slowly .venv/bin/python -m $(if $(ONLY),pytest $(ONLY),tests)

check: install-checks ## run the quick checks: format, lint, types, imports, prose, spelling
	@exec .venv/bin/python -m tests format lint types imports prose spelling

docs: install-service ## regenerate openapi.json, the pages of docs/ and the English texts
	@.venv/bin/python -m apidocs

screenshot: install-all ## take the pictures of the page and of a mail again: docs/*.png
	@exec .venv/bin/python -m tests.screenshot

timing: install-checks ## measure whether response times reveal who has an account
	@exec .venv/bin/python -m benchmarks.timing

bench: install-checks ## compare the speed with other implementations: ROUNDS=15
	@exec .venv/bin/python -m benchmarks --rounds "$(ROUNDS)"

synth: install-cdk ## write the CloudFormation templates to cdk.out: STAGE=dev
	@echo "Synthesizing password-service-$(STAGE) into cdk.out" >&2
	@node_modules/.bin/cdk synth --quiet --context stage=$(STAGE) $(CONTEXT)

deploy: install-cdk ## deploy to your AWS account: STAGE=dev CONTEXT='-c name=value'
	$(mention_approval)
	@.venv/bin/python -m verification "$(STAGE)" --credentials
	@node_modules/.bin/cdk deploy password-service-$(STAGE) --context stage=$(STAGE) \
		$(if $(APPROVE),--require-approval "$(APPROVE)") $(CONTEXT)

destroy: install-service install-cdk ## remove a stage from your AWS account: STAGE=dev
	$(mention_approval)
	@.venv/bin/python -m verification "$(STAGE)" --rules
	@node_modules/.bin/cdk destroy password-service-$(STAGE) --context stage=$(STAGE) \
		$(if $(filter never,$(APPROVE)),--force) $(CONTEXT)

verify: install-service ## check a deployment: STAGE=dev or STACK=… CONSTRUCT=…, MAILBOX=you@example.com, POLICY=1
	@exec .venv/bin/python -m verification $(if $(STACK),--stack "$(STACK)","$(STAGE)") \
		$(if $(CONSTRUCT),--construct "$(CONSTRUCT)") $(if $(MAILBOX),--mailbox "$(MAILBOX)") \
		$(if $(POLICY),--policy) $(port)

# Neither a default stage nor an environment's USERNAME may choose whom it concerns, and neither make
# nor the shell may expand a name.
typed = $(if $(filter command,$(firstword $(origin $(1)))),$(value $(1)))
support: override export TYPED_NAME := $(call typed,USERNAME)
support: install-service ## help a user: TASK=clear_limits|send_code|require_reset USERNAME=… or LIST=names.txt, STAGE=… or STACK=… CONSTRUCT=…
	@exec .venv/bin/python -m verification.support "$(TASK)" $${TYPED_NAME:+--username="$$TYPED_NAME"} \
		$(if $(LIST),--list "$(LIST)") $(if $(STACK),--stack "$(STACK)",--stage "$(call typed,STAGE)") \
		$(if $(CONSTRUCT),--construct "$(CONSTRUCT)") $(port)

define mention_approval
@test -t 0 || test -n "$(APPROVE)" || \
	echo "There is no terminal to ask for your approval: add APPROVE=never to continue without it." >&2
endef

package: install-package ## build what is published: the wheel and the npm tarball, in dist/
	@.venv/bin/python -m release

release: install-checks ## date the changelog, commit and tag a version: VERSION=1.2.3
	@.venv/bin/python -m release "$(VERSION)"

pin = .venv/bin/uv pip compile -q --universal --python-version 3.13 \
	--generate-hashes --no-header --only-binary :all:

lock: install-checks ## pin the dependencies with hashes
	@echo "Resolving the dependencies" >&2
	@$(pin) --group installer -o local/uv.txt
	@$(pin) --group functions -o functions/requirements.txt
	@$(pin) --group run -c functions/requirements.txt -o requirements.txt
	@$(pin) --group test -c requirements.txt -o tests/requirements.txt
	@$(pin) --group generators -c tests/requirements.txt -o tests/e2e/requirements.txt
	@$(pin) --group package -c tests/requirements.txt -o release/requirements.txt
	@$(pin) --group emulator -o local/requirements.txt
	@$(pin) --group runtime -o tests/bundle/requirements.txt
	@$(pin:3.13=3.12) --group floor -o tests/floor/requirements.txt
	@$(pin) --group rivals -c functions/requirements.txt -o benchmarks/rivals/requirements.txt

format: install-checks ## format the code and apply safe fixes
	@.venv/bin/ruff check --fix --quiet; .venv/bin/ruff format

clean: ## remove everything that was installed or built here
	@rm -rf .venv .build .local node_modules cdk.out dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* verification.json verification.md
	@find . \( -name __pycache__ -o -name node_modules \) -type d -prune -exec rm -rf {} +

# local/install.py skips what is installed already.
$(installing):
	@local/programs $(PYTHON) $(parts) $(browser)
	@$(PYTHON) -m local.install $(parts)

install-service: parts = uv service
install-cdk: parts = uv service cdk
install-run: parts = uv service emulator cdk
install-package: parts = uv service package
install-checks: parts = uv service tests
install-tests: parts = uv service emulator cdk tests test-packages
install-all: parts = uv service emulator cdk tests test-packages generators floor
install-all: browser = chromium
