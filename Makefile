# Verbs over Meson: this file says what can be done, meson.build says how it is built.

BUILD  ?= build
PREFIX ?= /usr/local

MESON = meson setup --prefix $(PREFIX)
# -j follows the machine; NINJA="ninja -j2" overrules it.
NINJA ?= ninja

.PHONY: build deps demo test lint asan tsan bench fuzz install clean help

build: | $(BUILD)/build.ninja
	@$(NINJA) -C $(BUILD) --quiet fanfare

$(BUILD)/build.ninja:
	@tools/deps.sh build
	@mkdir -p $(BUILD)
	@$(MESON) $(BUILD) >$(BUILD)/setup.log || { cat $(BUILD)/setup.log; exit 1; }

deps: ; @tools/deps.sh test
demo: ; @tools/deps.sh build && $(MAKE) --no-print-directory build && tools/demo.sh $(BUILD)
test: ; @tools/deps.sh test && $(MAKE) --no-print-directory build && tools/test.sh $(BUILD)
lint: ; @tools/deps.sh lint && $(MAKE) --no-print-directory build && tools/lint.sh $(BUILD)

asan: ; @tools/deps.sh test && tools/sanitize.sh address,undefined build-asan
tsan: ; @tools/deps.sh test && tools/sanitize.sh thread build-tsan

bench: ; @tools/deps.sh test && $(MAKE) --no-print-directory build && tests/bench/run.sh $(BUILD)
fuzz:  ; @tools/deps.sh fuzz && tools/fuzz.sh

install: build
	@meson install -C $(BUILD) --no-rebuild --quiet $(if $(DESTDIR),--destdir $(DESTDIR))

clean: ; @rm -rf build build-asan build-tsan build-fuzz

help:
	@echo "make          build $(BUILD)/fanfare"
	@echo "make demo     a campaign to 60,000 users, from nothing to the messages"
	@echo "make test     all suites; installs what they need"
	@echo "make lint     format, floors, sizes, headers, docs/compatibility.md, clang-tidy"
	@echo "make asan     the suites under AddressSanitizer and UBSan"
	@echo "make tsan     the suites under ThreadSanitizer"
	@echo "make bench    the figures"
	@echo "make fuzz     every fuzz target for a while"
	@echo "make deps     install what is missing"
	@echo "make install  into DESTDIR and PREFIX ($(PREFIX))"
	@echo "make clean    remove what was built"
