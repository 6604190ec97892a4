# Two commands do everything on a fresh machine: `make retrain` and `make test`.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NAMED := $(VENV)/.extras

# requirements.lock pins everything; of it, requirements/ holds what the line needs, and what each extra adds to that.
KNOWN := $(filter-out line,$(patsubst requirements/%.lock,%,$(wildcard requirements/*.lock)))
EXTRAS ?=
ifneq (,$(filter-out $(KNOWN),$(EXTRAS)))
$(error kensa: EXTRAS: expected some of $(KNOWN), with spaces between, found $(filter-out $(KNOWN),$(EXTRAS)))
endif
WANTED := $(sort $(EXTRAS) $(filter $(KNOWN),$(shell cat $(NAMED) 2>/dev/null)))  # what was installed once stays
LOCKS := requirements/line.lock $(WANTED:%=requirements/%.lock)

.PHONY: help setup everything retrain test test-fast commands figures bench faults audit lint lock clean

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(INSTALLED)  ## the environment of the line, from pinned and hashed requirements; more: EXTRAS="photos onnx"

everything:  # what the tests need, too
	@$(MAKE) --no-print-directory setup EXTRAS="$(KNOWN)"
	@$(MAKE) --no-print-directory $(VENV)/mlflow/.installed

# MLflow's server, which the tests start, asks for older packages than the line: it has an environment of its own.
$(VENV)/mlflow/.installed: tests/support/mlflow_server.lock | $(INSTALLED)
	$(RUN)/uv venv --quiet --clear --python $(RUN)/python $(VENV)/mlflow
	$(RUN)/uv pip sync --quiet --python $(VENV)/mlflow/bin/python --require-hashes $<
	@touch $@

# Written anew where the extras are others; the environment is made after it, and again where that was interrupted.
$(NAMED): FORCE
	@mkdir -p $(VENV)
	@[ -e $@ ] && [ "$(strip $(WANTED))" = "$$(cat $@)" ] || echo "$(strip $(WANTED))" > $@
FORCE:

# uv is the only thing that comes without a hash of ours: pip brings it, and it brings all the rest.
$(INSTALLED): $(LOCKS) $(NAMED) pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; ok = (3, 11) <= v < (3, 14); \
	  sys.exit(None if ok else "kensa: expected Python 3.11 to 3.13, found %d.%d; try make PYTHON=python3.12" % v)'
	@$(PYTHON) -m venv $(VENV) || { echo "kensa: python3 cannot make environments; on Debian: apt-get install python3-venv"; exit 2; }
	$(RUN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.8,<1"
	$(RUN)/uv pip sync --quiet --python $(RUN)/python --require-hashes $(LOCKS)
	$(RUN)/uv pip install --quiet --python $(RUN)/python --no-deps --no-build-isolation --editable .
	@touch $@

retrain: setup  ## the line on the built-in demonstration part
	$(RUN)/kensa retrain

JOBS ?= 4  # tests at once, file by file: many wait for a server or a browser
ORDER := --no-loadscope-reorder  # as collected, the long files of tests/flows first: by number of tests they came last
MODELS := $(addprefix tests/tasks/model/test_,distances.py distances_rt.py losses.py siamese.py tower.py batches.py)

# What noise teaches is a question to the data, and two presets train with two distances: one backend answers those.
test: everything lint browser broker  ## every test, and those of the model on the other backend too
	KERAS_BACKEND=jax $(RUN)/python -m pytest -q -n $(JOBS) --dist worksteal -k "not noise_teaches and not every_distance" $(MODELS)
	$(RUN)/python -m pytest -n $(JOBS) --dist loadfile $(ORDER)

test-fast: everything  ## the tests that take less than a second each; a third process would only import once more
	$(RUN)/python -m pytest -n 2 --dist loadfile $(ORDER) -m "not slow"

commands: setup  ## docs/commands.md anew, from the help of the commands
	$(RUN)/python -m kensa.cli.reference > docs/commands.md

figures: everything  ## docs/figures.md anew, from the sets in the folder DATA: two hours on a quiet machine
	$(RUN)/python -m bench.accuracy.figures --data "$(DATA)"

PEERS := $(VENV)/peers/.installed  # PyTorch, which only the bench asks for

$(PEERS): bench/requirements.lock | everything
	$(RUN)/uv venv --quiet --clear --python $(RUN)/python $(VENV)/peers
	$(RUN)/uv pip sync --quiet --python $(VENV)/peers/bin/python --require-hashes --compile-bytecode bench/requirements.lock
	@touch $@

bench: everything $(PEERS)  ## what is measured against what, and its table in docs/speed.md: a quarter of an hour, on a quiet machine
	$(RUN)/python -m bench.speed.__main__ --write

PARTS ?= all
SHARE ?= 1
faults: everything  ## faults of every kind, and their table in docs/reliability.md: an hour and a half; PARTS=kill,disk SHARE=0.1
	$(RUN)/python -m bench.faults --parts "$(PARTS)" --share "$(SHARE)" $(if $(SEED),--seed "$(SEED)") --write

audit: setup  ## known vulnerabilities of what is locked; asks PyPI's database, and fails where it is not reached
	$(RUN)/uv tool run --quiet "pip-audit>=2.9,<3" -r requirements.lock --require-hashes --disable-pip --strict --progress-spinner off

.PHONY: docs
docs:  ## the documentation as a site, below site/: open site/index.html
	@$(MAKE) --no-print-directory setup EXTRAS=docs
	NO_MKDOCS_2_WARNING=1 $(RUN)/mkdocs build --quiet

lint: everything  ## style, and who may import whom
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

.PHONY: browser
browser:  ## Debian's chromium for the browser tests: installed where we may, else asked for
	@command -v chromium >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  { echo "kensa: the browser tests need chromium; on Debian: sudo apt-get install chromium"; exit 2; }

COMPILE := $(RUN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
  --no-header --python-version 3.11
ASKED := $(sort $(shell $(PYTHON) -c 'import tomllib; \
  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"])'))

lock:  ## pin anew what pyproject.toml asks for, and what the bench is compared with
	$(COMPILE) $(ASKED:%=--extra %) pyproject.toml --output-file requirements.lock
	rm -f requirements/*.lock
	$(COMPILE) --constraint requirements.lock --no-annotate pyproject.toml --output-file requirements/line.lock
	@for extra in $(ASKED); do $(COMPILE) --constraint requirements.lock --no-annotate --extra $$extra pyproject.toml \
	  $$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements/line.lock) \
	  | grep -v '^#' > requirements/$$extra.lock || exit 2; done
	$(COMPILE) bench/requirements.in --output-file bench/requirements.lock
	$(COMPILE) --no-annotate tests/support/mlflow_server.in --output-file tests/support/mlflow_server.lock

.PHONY: broker
broker:  ## Debian's mosquitto for the test of MQTT: installed where we may, else that test is left out
	@command -v /usr/sbin/mosquitto >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mosquitto >/dev/null; }; } || true

clean:  ## remove the environment; data and artifacts stay
	rm -rf $(VENV) *.egg-info
