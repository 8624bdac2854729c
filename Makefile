# The front door; meson does the work. `make` builds build/tutti and .venv.
export PATH := /usr/bin:/bin:$(PATH)
PREFIX ?= /usr/local
prefix ?= $(PREFIX)
MESON_FLAGS ?=

.PHONY: all build demo test chaos check bench install format clean

all:
	@tools/setup.sh build
	@$(MAKE) --no-print-directory build

build:
	@[ -f build/build.ninja ] || meson setup build $(MESON_FLAGS)
	@ninja -C build

demo:
	@tools/setup.sh demo
	@$(MAKE) --no-print-directory build
	@.venv/bin/python examples/demo.py

test:
	@tools/setup.sh test
	@$(MAKE) --no-print-directory build
	@tools/test.sh

chaos:
	@tools/setup.sh test
	@$(MAKE) --no-print-directory build
	@.venv/bin/python tests/chaos/chaos.py --runs 10000

check:
	@tools/setup.sh test
	@tools/check.sh

bench:
	@tools/setup.sh test
	@tools/setup.sh demo
	@$(MAKE) --no-print-directory build
	@.venv/bin/python bench/run.py

install:
	@$(MAKE) --no-print-directory all
	@meson configure build --prefix=$(abspath $(prefix))
	@meson install -C build
	@[ -n "$(DESTDIR)" ] || ldconfig

format:
	@clang-format -i $$(tools/sources.sh '*.c' '*.h')

clean:
	rm -rf build build-* .venv .mesonpy-native-file.ini
