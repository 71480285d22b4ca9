# The recipes that people and CI run. Needed on the machine: CPython 3.11+ (with venv), cargo and make; everything else
# is fetched into the checkout (.tools, .venv). `make` alone lists the targets.

UV_VERSION   := 0.13.9
DENY_VERSION := 0.20.2
# What Rust builds goes outside the checkout, so that a fresh clone does not start from nothing.
CACHE      := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/slimeweb
PROFILE    ?= dev
PORT       ?= 3000

ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$python -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$python && break; done)
endif

# The interpreter's shared library, which the Rust tests of slimeweb-core link (Debian: python3-dev). Empty where there is none.
PYTHON_LIBRARY := $(firstword $(wildcard $(shell "$(PYTHON)" -c 'import os, sysconfig; get = sysconfig.get_config_var; \
  folders = (get("LIBDIR"), os.path.join(get("LIBDIR"), get("MULTIARCH") or "")); \
  print(*(os.path.join(folder, get("LDLIBRARY")) for folder in folders if get("Py_ENABLE_SHARED")))' 2>/dev/null)))

export CARGO_TARGET_DIR ?= $(CACHE)/target
export UV_PYTHON_DOWNLOADS := never
# What the machine trusts is what pip and cargo trust too.
export UV_SYSTEM_CERTS ?= true
# An environment that happens to be active must not leak into the checkout's own.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME CONDA_PREFIX

UV      := .tools/bin/uv
BIN     := .venv/bin
MATURIN := $(CURDIR)/$(BIN)/maturin
# maturin in an environment of its own: wheels for an interpreter need no development environment on it.
PACKER  := $(CURDIR)/$(UV) tool run --quiet --python "$(PYTHON)" \
  maturin@$(shell sed -n 's/^maturin==//p' requirements-dev.txt)
CARGO   := cargo --locked
RUST    := --manifest-path rust/Cargo.toml
PYTHONS := $(wildcard packages/*/pyproject.toml) pyproject.toml
SOURCES := $(shell find rust -name '*.rs' -o -name 'Cargo.*' 2>/dev/null)
# Those with Rust in them; each may be built alone.
NATIVE  := slimeweb-core slimeweb-ws slimeweb-compress
PURE    := slimeweb-cli slimeweb-stream slimeweb-docs slimeweb-templates slimeweb-asgi slimeweb-typed slimeweb
DENY    := $(CACHE)/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
MSRV    := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' rust/Cargo.toml)
IMPORTS := slimeweb slimeweb_cli slimeweb_ws slimeweb_stream slimeweb_compress slimeweb_docs slimeweb_templates \
  slimeweb_asgi slimeweb_typed

# Two versions of one extension must not take turns in one place: maturin copies what cargo left under a fixed name.
ONE_AT_A_TIME := $(if $(shell command -v flock),flock $(CARGO_TARGET_DIR)/.slimeweb-lock)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# cargo and pytest use all cores themselves; `make -j` would only mix their output.
.NOTPARALLEL:
.PHONY: help build demo lock reference tools test test-rust test-python test-free-threaded nightly lint typing deny advisories \
  workflows msrv msrv-toolchain format wheels sdist bench bench-quick instructions scaling clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 28

build: .venv/native-$(PROFILE) ## build the extension module and install everything into .venv (PROFILE=dev|release)

demo: build ## serve examples/hello on http://127.0.0.1:3000 (PORT=…); Ctrl-C ends it
	@SLIME_PORT=$(PORT) exec $(BIN)/python .ci/foreground $(BIN)/slime rung examples/hello/main.py

test: test-rust test-python ## run every test but the slow ones

test-rust: ## run the tests of the Rust crates
	$(CARGO) test $(RUST) --workspace --exclude slimeweb-core
ifneq ($(PYTHON_LIBRARY),)
	PYO3_PYTHON="$(PYTHON)" LD_LIBRARY_PATH="$(dir $(PYTHON_LIBRARY))" $(CARGO) test $(RUST) -p slimeweb-core
else
	@echo "the Rust tests of slimeweb-core are left out: $(PYTHON) has no shared library to link (Debian: python3-dev)"
endif

test-python: build ## run the tests of the Python packages, and tests/
	$(BIN)/python -m pytest -m "not slow" packages tests benchmarks

test-free-threaded: .tools/uv-$(UV_VERSION) ## run the Python tests without the GIL: PYTHON=/path/to/python3.14t
	UV=$(UV) CACHE=$(CACHE) .ci/test-free-threaded "$(PYTHON)"

nightly: test-rust build ## run every test, the slow ones too
	$(BIN)/python -m pytest packages tests

tools: ## install the programs that tests use, where they are missing (Debian's packages, as root)
	.ci/tools

lint: build typing deny workflows msrv ## check formatting, lints and types of both languages, licences and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(addprefix -p ,$(IMPORTS))
	$(BIN)/mypy --exclude benchmarks/apps benchmarks
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml \
	  --allowlist packages/slimeweb-core/stubtest-allowlist.txt $(addsuffix ._native,slimeweb_ws slimeweb_compress) slimeweb._core
	cargo fmt $(RUST) --all --check
	PYO3_PYTHON=$(CURDIR)/$(BIN)/python $(CARGO) clippy $(RUST) --workspace --all-targets --all-features -- -D warnings

typing: build ## check tests/typing, which uses the public API, with mypy and pyright
	$(BIN)/python -m pytest tests/typing

# Without security advisories, whose database has to be fetched: `make advisories` checks those.
deny: $(DENY) ## check the Rust dependencies by rust/deny.toml: licences, sources, versions
	$(DENY) --manifest-path rust/Cargo.toml --locked check --hide-inclusion-graph bans licenses sources

advisories: $(DENY) ## check the Rust dependencies for security advisories (fetches their database)
	$(DENY) --manifest-path rust/Cargo.toml --locked check advisories

workflows: .venv/synced ## check .github against GitHub's schemas, and the workflows with zizmor
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms \
	  $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --quiet --offline --no-progress .github

# Apart, since not every network has Rust's own server.
msrv-toolchain:
	rustup toolchain install $(MSRV) --profile minimal --no-self-update

msrv: .venv/synced ## check that the Rust dependencies build with the oldest Rust that rust/Cargo.toml names
	$(BIN)/python .ci/msrv.py $(MSRV)

format: .venv/synced ## rewrite the sources the way `make lint` wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt $(RUST) --all

wheels: .tools/uv-$(UV_VERSION) ## build release wheels of every package into dist/, for PYTHON
	rm -f dist/*.whl
	for package in $(NATIVE); do \
	  "$(PYTHON)" .ci/licences.py $$package && \
	  (cd packages/$$package && $(ONE_AT_A_TIME) $(PACKER) build --release --locked --strip -i "$(PYTHON)" -o $(CURDIR)/dist) \
	    || exit; \
	done
	for package in $(PURE); do $(UV) build --quiet --wheel --package $$package -o dist || exit; done

sdist: .tools/uv-$(UV_VERSION) ## build an sdist of every package into dist/
	rm -f dist/*.tar.gz
	for package in $(NATIVE); do \
	  "$(PYTHON)" .ci/licences.py $$package && (cd packages/$$package && $(PACKER) sdist -o $(CURDIR)/dist) || exit; \
	done
	for package in $(PURE); do $(UV) build --quiet --sdist --package $$package -o dist || exit; done

bench: .tools/uv-$(UV_VERSION) ## measure slimeweb beside bare hyper and other frameworks (15 minutes; BENCH=options)
	"$(PYTHON)" -m benchmarks --uv $(CURDIR)/$(UV) --cache $(CACHE) $(BENCH)

bench-quick: override BENCH += --quick
bench-quick: bench ## the same, with fewer servers, workloads and rounds (2 minutes)

instructions: .tools/uv-$(UV_VERSION) ## count instructions per request with valgrind, after a bench or bench-quick
	"$(PYTHON)" -m benchmarks.instructions --uv $(CURDIR)/$(UV) --cache $(CACHE)

scaling: .tools/uv-$(UV_VERSION) ## measure what a second worker is worth, after a bench or bench-quick
	"$(PYTHON)" -m benchmarks.scaling --uv $(CURDIR)/$(UV) --cache $(CACHE)

reference: build ## write the entries of docs/reference anew, from signatures and docstrings
	cd tests && ../$(BIN)/python -m support.reference

lock: .tools/uv-$(UV_VERSION) ## choose the newest versions that requirements-dev.txt may pin
	$(UV) lock --quiet --upgrade
	{ echo "# What \`make\` installs into .venv beside our own packages: every version pinned. \`make lock\` writes it anew."; \
	  $(UV) export --quiet --frozen --no-hashes --no-annotate --no-header --no-emit-workspace --all-packages --all-groups \
	    --all-extras; } > requirements-dev.txt

clean: ## remove what was built inside the checkout
	rm -rf .venv .venv-* .tools dist
	find packages -name '*.so' -delete

# Without optimisation and debug information, since that builds in half the time.
$(DENY):
	CARGO_TARGET_DIR=$(CACHE)/cargo-deny-build CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug \
	  --root $(CACHE)/cargo-deny-$(DENY_VERSION) cargo-deny@$(DENY_VERSION)
	@rm -rf $(CACHE)/cargo-deny-build

.tools/uv-$(UV_VERSION):
	@test -n "$(PYTHON)" || { echo "no CPython 3.11+ with the venv module: install one or name it: make PYTHON=…" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

# maturin builds what has Rust in it, not uv: uv builds a workspace member in isolation, and not again when sources change.
.venv/synced: requirements-dev.txt $(PYTHONS) | .tools/uv-$(UV_VERSION)
	$(UV) venv --quiet --allow-existing --python "$(PYTHON)" .venv
	$(UV) pip install --quiet --python .venv -r requirements-dev.txt
	$(UV) pip install --quiet --python .venv --no-deps $(foreach package,$(PURE),-e $(if $(filter slimeweb,$(package)),.,packages/$(package)))
	@touch $@

.venv/native-$(PROFILE): $(SOURCES) $(addsuffix /pyproject.toml,$(addprefix packages/,$(NATIVE))) .venv/synced
	@mkdir -p $(CARGO_TARGET_DIR)
	for package in $(NATIVE); do \
	  (cd packages/$$package && VIRTUAL_ENV=$(CURDIR)/.venv PATH="$(CURDIR)/.tools/bin:$$PATH" \
	    $(ONE_AT_A_TIME) $(MATURIN) develop --locked --profile $(PROFILE) --uv) || exit; \
	done
	@rm -f .venv/native-* && touch $@
