# The few commands of the house; meson does the work. `make help` lists them.
#
# make run and make check set up a fresh machine by themselves, as root or through sudo.

SHELL      := /bin/bash
BUILD      ?= build
MESONFLAGS ?=
PYTHON     ?= /usr/bin/python3
PREFIX     ?= /usr/local
# Nothing, or sudo where the caller may not write below PREFIX.
SUDO        = $(if $(DESTDIR),,$(shell d='$(PREFIX)'; \
	while [ ! -e "$$d" ]; do d=$$(dirname "$$d"); done; [ -w "$$d" ] || echo sudo))

.PHONY: help setup build run check bench fuzz install uninstall docs deb clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make setup      install what building, testing and the tour need (Debian packages)
setup:
	@tools/setup all

## make build      programs in build/bin, libraries in build/lib, plug-ins in build/lib/vdeplug
build:
	@tools/setup build
	@tools/build $(BUILD) $(MESONFLAGS)

## make run        the tour: a small square that shows each part working
run:
	@tools/setup run
	@tools/build $(BUILD) $(MESONFLAGS)
	@VS_BUILD=$(BUILD) square/tour

## make check      build and run all tests; ends in "N passed, N failed, N skipped"
check:
	@tools/setup all
	@$(PYTHON) tests/run.py

## make bench      measure beside Debian's programs and the kernel; results in build/bench
bench:
	@tools/setup all
	@tools/build $(BUILD) $(MESONFLAGS)
	@VS_BUILD=$(BUILD) bench/run $(BENCHFLAGS)

## make fuzz       fuzz every parser (FUZZ_SECONDS=60 each); umvu's decoder on every program here
fuzz:
	@tools/setup all
	@$(PYTHON) tests/fuzz/run.py --seconds $(or $(FUZZ_SECONDS),60)
	@tools/build $(BUILD) $(MESONFLAGS)
	@VS_BUILD=$(abspath $(BUILD)) VS_DECODER=all $(PYTHON) -m pytest -q -s tests/integration/test_umvu_decoder.py

## make install    install under PREFIX (default /usr/local) and DESTDIR
install:
	@tools/setup build
	@tools/build build-install -Dprefix='$(PREFIX)' -Dbuildtype=release -Dtests=false \
		-Dsysconfdir=$(if $(filter /usr,$(PREFIX)),/etc,etc)
	@$(SUDO) env DESTDIR='$(DESTDIR)' meson install -C build-install --no-rebuild --quiet
	@$(if $(DESTDIR),,$(if $(SUDO)$(filter 0,$(shell id -u)),$(SUDO) ldconfig))
	@echo "installed below $(DESTDIR)$(PREFIX)"

## make uninstall  remove what make install put there
uninstall:
	@$(SUDO) tools/uninstall '$(PREFIX)' '$(DESTDIR)'

## make docs       manual pages in build/docs/man
docs:
	@tools/setup build
	@tools/build $(BUILD) $(MESONFLAGS)
	@ls $(BUILD)/docs/man/*.[1-9]

## make deb        Debian packages that replace Debian's, in packages/
deb:
	@tools/setup deb
	@tools/make-deb packages

## make clean      remove everything that was built
clean:
	rm -rf build build-* packages
