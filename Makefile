# Two commands do everything on a fresh machine: `make retrain` and `make test`.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help setup retrain test test-fast commands figures bench faults audit lint lock clean

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(INSTALLED)  ## the environment, from the pinned and hashed requirements

# uv is the only thing that comes without a hash of ours: pip brings it, and it brings all the rest.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; ok = (3, 11) <= v < (3, 14); \
	  sys.exit(None if ok else "kensa: expected Python 3.11 to 3.13, found %d.%d; try make PYTHON=python3.12" % v)'
	@$(PYTHON) -m venv $(VENV) || { echo "kensa: python3 cannot make environments; on Debian: apt-get install python3-venv"; exit 2; }
	$(RUN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.8,<1"
	$(RUN)/uv pip sync --quiet --python $(RUN)/python --require-hashes --compile-bytecode requirements.lock
	$(RUN)/uv pip install --quiet --python $(RUN)/python --no-deps --no-build-isolation --editable .
	@touch $@

retrain: setup  ## the line on the built-in demonstration part
	$(RUN)/kensa retrain

JOBS ?= 3  # tests at once, file by file: many wait for a server or a browser
ORDER := --no-loadscope-reorder  # as collected, the long files of tests/flows first: by number of tests they came last
MODELS := $(addprefix tests/tasks/model/test_,distances.py distances_rt.py losses.py siamese.py tower.py batches.py)

# What noise teaches is a question to the data, and two presets train with two distances: one backend answers those.
test: setup lint browser  ## every test, and those of the model on the other backend too
	KERAS_BACKEND=jax $(RUN)/python -m pytest -q -n $(JOBS) --dist worksteal -k "not noise_teaches and not every_distance" $(MODELS)
	$(RUN)/python -m pytest -n $(JOBS) --dist loadfile $(ORDER)

test-fast: setup  ## the tests that take a second or two each; a third process would only import once more
	$(RUN)/python -m pytest -n 2 --dist loadfile $(ORDER) -m "not slow"

commands: setup  ## docs/commands.md anew, from the help of the commands
	$(RUN)/python -m kensa.cli.reference > docs/commands.md

figures: setup  ## docs/figures.md anew, from the sets in the folder DATA: two hours on a quiet machine
	$(RUN)/python -m bench.accuracy.figures --data "$(DATA)"

PEERS := $(VENV)/peers/.installed  # PyTorch, which only the bench asks for

$(PEERS): bench/requirements.lock $(INSTALLED)
	$(RUN)/uv venv --quiet --clear --python $(RUN)/python $(VENV)/peers
	$(RUN)/uv pip sync --quiet --python $(VENV)/peers/bin/python --require-hashes --compile-bytecode bench/requirements.lock
	@touch $@

bench: setup $(PEERS)  ## what is measured against what, and its table in docs/speed.md: a quarter of an hour, on a quiet machine
	$(RUN)/python -m bench.speed.__main__ --write

PARTS ?= all
SHARE ?= 1
faults: setup  ## faults of every kind, and their table in docs/reliability.md: an hour and a half; PARTS=kill,disk SHARE=0.1
	$(RUN)/python -m bench.faults --parts "$(PARTS)" --share "$(SHARE)" $(if $(SEED),--seed "$(SEED)") --write

audit: setup  ## known vulnerabilities of what is locked; asks PyPI's database, and fails where it is not reached
	$(RUN)/uv tool run --quiet "pip-audit>=2.9,<3" -r requirements.lock --require-hashes --disable-pip --strict --progress-spinner off

lint: setup  ## style, and who may import whom
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

.PHONY: browser
browser:  ## Debian's chromium for the browser tests: installed where we may, else asked for
	@command -v chromium >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  { echo "kensa: the browser tests need chromium; on Debian: sudo apt-get install chromium"; exit 2; }

lock:  ## pin anew what pyproject.toml asks for, and what the bench is compared with
	$(RUN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --python-version 3.11 --extra dask --extra photos --extra onnx --extra s3 --extra dev pyproject.toml --output-file requirements.lock
	$(RUN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --python-version 3.11 bench/requirements.in --output-file bench/requirements.lock

clean:  ## remove the environment; data and artifacts stay
	rm -rf $(VENV) *.egg-info
