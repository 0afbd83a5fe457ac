# The front door; meson does the work. `make run` and `make test` are all that is needed to begin.
BUILD ?= build
PREFIX ?= /usr/local
# libFuzzer is clang's.
FUZZ = -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
SOURCES = $(shell git ls-files '*.c' '*.h')

.PHONY: all run test asan tsan clang sim mutations install clean bench check-headers format-check lint packages-build packages-test faults fuzz soak overload bench-growth bench-calls-memory bench-sipp bench-micro

all: packages-build
	@scripts/build $(BUILD)

run: all
	@scripts/run $(BUILD)

# The suite, then every fuzz target for a short bound.
test: packages-test
	@scripts/test "" $(BUILD)
	@scripts/packages fuzz
	@CC=clang scripts/test fuzz $(BUILD)-fuzz $(FUZZ)

# FUZZ_SECONDS=1200 FUZZ_TARGETS="message uri" FUZZ_KEEP=1: see scripts/fuzz.
fuzz: packages-test
	@scripts/packages fuzz
	@CC=clang scripts/fuzz $(BUILD)-fuzz $(FUZZ)

asan: packages-test
	@TIMEOUT_MULTIPLIER=4 scripts/test "" $(BUILD)-asan -Db_sanitize=address,undefined -Db_lundef=false

tsan: packages-test
	@TIMEOUT_MULTIPLIER=6 scripts/test "" $(BUILD)-tsan -Db_sanitize=thread -Db_lundef=false

clang: packages-test
	@scripts/packages clang
	@CC=clang scripts/test "" $(BUILD)-clang

# Simulations by many seeds, and whether they notice defects.
SEEDS ?= 10000
FIRST ?= 1
sim: all packages-test
	@scripts/sim $(BUILD) $(SEEDS) $(FIRST)

mutations: all packages-test
	@python3 tests/sim/mutations.py $(BUILD)

# Every allocation and every system call failing in turn; the suite runs a part of it.
faults: packages-test
	@scripts/faults $(BUILD)

# The place is compiled in, so the folder is configured for it first.
install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@ninja -C $(BUILD) server
	@meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

# NO_KAMAILIO=1 leaves Kamailio out and installs nothing for it. docs/benchmarks.md has the knobs.
bench: all
	@[ -n "$(NO_KAMAILIO)" ] || scripts/packages bench || echo "Going on without what is missing." >&2
	@ninja -C $(BUILD) bench
	@RES_SIP_BUILD=$(BUILD) NO_KAMAILIO="$(NO_KAMAILIO)" python3 scripts/bench $(BENCH_ARGS)

bench-growth: all
	@ninja -C $(BUILD) bench
	@RES_SIP_BUILD=$(BUILD) python3 bench/growth.py $(BENCH_ARGS)
	@$(BUILD)/bench/bench_config_load
	@RES_SIP_BUILD=$(BUILD) python3 bench/endpoints.py

bench-calls-memory: all
	@ninja -C $(BUILD) bench
	@RES_SIP_BUILD=$(BUILD) python3 bench/calls_growth.py $(BENCH_ARGS)

# Ten minutes by default: SIPP_SECONDS, SIPP_RATE.
bench-sipp: all packages-test
	@RES_SIP_BUILD=$(BUILD) python3 bench/sippload.py $(BENCH_ARGS)

# An hour by default; a line of figures each minute.
soak: all packages-test
	@grep -q tests/soak/flood $(BUILD)/build.ninja || meson setup --reconfigure $(BUILD) -Dtests=enabled
	@ninja -C $(BUILD) tests/soak/flood
	@RES_SIP_BUILD=$(BUILD) SOAK_SECONDS=$${SOAK_SECONDS:-3600} PYTHONDONTWRITEBYTECODE=1 python3 tests/soak/soak.py

# A minute of twenty times what the server can do, and another half of failures from one source.
overload: all packages-test
	@grep -q tests/soak/flood $(BUILD)/build.ninja || meson setup --reconfigure $(BUILD) -Dtests=enabled
	@ninja -C $(BUILD) tests/soak/flood tests/soak/test_delay.so
	@RES_SIP_BUILD=$(BUILD) OVERLOAD_SECONDS=$${OVERLOAD_SECONDS:-60} PYTHONDONTWRITEBYTECODE=1 \
		python3 tests/scenario/test_overload.py

bench-micro: all
	@scripts/packages bench-micro
	@ninja -C $(BUILD) bench
	@RES_SIP_BUILD=$(BUILD) python3 scripts/bench-micro

check-headers:
	@scripts/check-headers

format-check:
	@scripts/packages format
	@clang-format --dry-run -Werror $(SOURCES)

# clang-tidy reads what clang was told to do.
lint: packages-build
	@scripts/packages clang lint
	@CC=clang scripts/lint $(BUILD)-clang

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-clang $(BUILD)-fuzz

packages-build:
	@scripts/packages build

packages-test:
	@scripts/packages build test
