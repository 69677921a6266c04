# SPDX-License-Identifier: GPL-2.0-only
#
# make            the command, build/relinktrace
# make demo       install what is missing (Debian), build, run the example of the 2010 patch
# make check      install, lint, build, run every test here, with sanitizers too, and in
#                 virtual machines
# make test       the tests here, with what is installed
# make lint       formatting and static analysis
# make sanitize   the tests here under ASan and UBSan
# make fuzz       the parsers, FUZZ_SECONDS each
# make bench      what it costs, in pairs measured in one run
# make install    DESTDIR= PREFIX=/usr/local
#
# V=1 shows the commands. OUTPUT= is where everything that is built goes.

PREFIX	?= /usr/local
OUTPUT	?= build
CLANG	?= clang
BPFTOOL	?= $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool || echo bpftool)
CFLAGS	?= -O2 -g
OBJCOPY	?= objcopy
FUZZ_SECONDS ?= 60
CI_FUZZ_SECONDS ?= 10
JOBS	?= $(shell nproc)
VERSION	:= 0.1.0

PACKAGES := libbpf jansson smartcols mount libcap nettle
Q	:= $(if $(V),,@)
say	= $(if $(V),,@printf '  %-8s %s\n' $(1) $(2);)

ARCH	:= $(shell uname -m)
BPF_ARCH := $(if $(filter x86_64,$(ARCH)),x86,$(if $(filter aarch64,$(ARCH)),arm64,$(ARCH)))

# What goes into the checks of both halves alike.
WARNINGS := -Wall -Wextra -Wtype-limits -Werror
RT_CPPFLAGS = -D_GNU_SOURCE -DRELINKTRACE_VERSION='"$(VERSION)"' -I$(OUTPUT) -Iuser \
	$(shell pkg-config --cflags $(PACKAGES))
RT_CFLAGS = -std=gnu11 $(WARNINGS) $(CFLAGS) $(SANITIZE)
PIC	:= -fPIC -fvisibility=hidden
RT_LIBS	= $(shell pkg-config --libs $(PACKAGES)) -lelf -lz

USER_SRC := $(wildcard user/*.c user/*/*.c)
USER_OBJ := $(USER_SRC:%.c=$(OUTPUT)/%.o)
MODULES	:= $(filter-out $(OUTPUT)/user/main.o $(OUTPUT)/user/commands/%,$(USER_OBJ))
UNIT	:= $(patsubst tests/unit/%.c,$(OUTPUT)/tests/unit/%,$(wildcard tests/unit/test_*.c))
HELPERS	:= $(patsubst tests/helpers/%.c,$(OUTPUT)/tests/helpers/%,$(wildcard tests/helpers/*.c))
FUZZ_OBJ := $(MODULES:$(OUTPUT)/%=$(OUTPUT)/fuzz/%)
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZERS	:= $(patsubst tests/fuzz/%.c,$(OUTPUT)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_RUNS := $(FUZZERS:$(OUTPUT)/tests/fuzz/fuzz_%=fuzz-%)
SKELETON := $(OUTPUT)/relinktrace.skel.h
LIB_OBJ	:= $(patsubst lib/%.c,$(OUTPUT)/lib/%.o,$(wildcard lib/*.c))
LIB	:= $(OUTPUT)/lib/librelinktrace
# Raised with every change that a program built before it would not survive.
SONAME	:= librelinktrace.so.0

.PHONY: all demo check test tests lint format sanitize sanitized fuzz bench install clean
.PHONY: $(FUZZ_RUNS)
.DELETE_ON_ERROR:
.SECONDARY: $(FUZZ_OBJ)

all: $(OUTPUT)/relinktrace $(LIB).so $(LIB).a

# Asked once, before anything is compiled, so that the answer is one list of packages and
# not the first error of a compiler.
$(OUTPUT)/.tools: tools/setup
	$(Q)mkdir -p $(OUTPUT)
	$(Q)tools/setup --check build
	$(Q)touch $@

$(OUTPUT)/relinktrace.bpf.o: bpf/relinktrace.bpf.c $(OUTPUT)/.tools
	$(call say,BPF,$@)$(CLANG) -g -O2 -target bpf -D__TARGET_ARCH_$(BPF_ARCH) $(WARNINGS) \
		-MMD -MP -MT $@ -c $< -o $@

$(SKELETON): $(OUTPUT)/relinktrace.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name relinktrace_bpf > $@

$(OUTPUT)/user/%.o: user/%.c $(SKELETON) Makefile
	$(Q)mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(RT_CPPFLAGS) $(RT_CFLAGS) $(PIC) -MMD -MP -c $< -o $@

$(OUTPUT)/lib/%.o: lib/%.c $(SKELETON) Makefile
	$(Q)mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(RT_CPPFLAGS) -Ilib $(RT_CFLAGS) $(PIC) -MMD -MP -c $< -o $@

$(LIB).so: $(LIB_OBJ) $(MODULES) lib/relinktrace.map
	$(call say,LINK,$@)$(CC) $(RT_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) \
		-Wl,--version-script=lib/relinktrace.map $(LIB_OBJ) $(MODULES) $(RT_LIBS) -o $@

# One object in which only what relinktrace.h declares can be seen.
$(LIB).a: $(LIB_OBJ) $(MODULES)
	$(call say,AR,$@)rm -f $@ && $(LD) -r $^ -o $(LIB).o && \
		$(OBJCOPY) --localize-hidden $(LIB).o && $(AR) rcs $@ $(LIB).o

$(OUTPUT)/relinktrace: $(USER_OBJ)
	$(call say,LINK,$@)$(CC) $(RT_CFLAGS) $(LDFLAGS) $^ $(RT_LIBS) -o $@

$(OUTPUT)/tests/unit/%: tests/unit/%.c $(MODULES)
	$(Q)mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(RT_CPPFLAGS) $(RT_CFLAGS) -pthread -MMD -MP $< $(MODULES) \
		$(RT_LIBS) -o $@

$(OUTPUT)/tests/helpers/%: tests/helpers/%.c $(OUTPUT)/.tools
	$(Q)mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -D_GNU_SOURCE $(RT_CFLAGS) -pthread -MMD -MP $< $(HELPER_LIBS) -o $@

# For where nothing can be compiled.
$(OUTPUT)/tests/library/do: tests/library/do.c $(LIB).a
	$(Q)mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -Ilib $(RT_CFLAGS) -MMD -MP $< $(LIB).a $(RT_LIBS) -o $@

# They read relinktrace's JSON and its maps.
$(OUTPUT)/tests/helpers/freezes $(OUTPUT)/tests/helpers/objects: \
	HELPER_LIBS = $(shell pkg-config --cflags --libs jansson libbpf)

# All that its container has; a static program has no sanitizer.
$(OUTPUT)/tests/helpers/tenant: HELPER_LIBS = -static
$(OUTPUT)/tests/helpers/tenant: override SANITIZE =

# The modules once more, for the fuzzers.
$(OUTPUT)/fuzz/%.o: %.c $(SKELETON) Makefile
	$(Q)mkdir -p $(@D)
	$(call say,FUZZ,$@)$(CLANG) $(RT_CPPFLAGS) -std=gnu11 -g -O1 $(FUZZ_SANITIZE) \
		-fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(OUTPUT)/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/round_trip.h $(FUZZ_OBJ)
	$(Q)mkdir -p $(@D)
	$(call say,FUZZ,$@)$(CLANG) $(RT_CPPFLAGS) -std=gnu11 -g -O1 $(FUZZ_SANITIZE) \
		-fsanitize=fuzzer $< $(FUZZ_OBJ) $(RT_LIBS) -o $@

demo:
	$(Q)tools/setup build test
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tools/demo

check:
	$(Q)tools/setup build test vm lint programs runtimes
	$(Q)$(MAKE) --no-print-directory lint
	$(Q)$(MAKE) --no-print-directory -O -j$(JOBS) fuzz FUZZ_SECONDS=$(CI_FUZZ_SECONDS)
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all tests sanitized
	$(Q)tests/run --all --sanitized $(OUTPUT)/sanitize

tests: $(UNIT) $(HELPERS) $(OUTPUT)/tests/library/do

test: all tests
	$(Q)tests/run

lint:
	$(Q)tools/setup --check lint
	$(Q)tools/lint

format:
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')

# Everything in user/ once more, into a place of its own.
sanitized:
	$(Q)$(MAKE) --no-print-directory OUTPUT=$(OUTPUT)/sanitize \
		SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined" \
		CFLAGS="-O1 -g" all tests

sanitize: sanitized
	$(Q)tests/run --sanitized $(OUTPUT)/sanitize

fuzz: $(FUZZ_RUNS)

$(FUZZ_RUNS): fuzz-%: $(OUTPUT)/tests/fuzz/fuzz_%
	$(Q)mkdir -p $(OUTPUT)/corpus/$*
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -print_final_stats=0 -verbosity=0 \
		$(OUTPUT)/corpus/$* tests/fuzz/corpus/$*
	$(Q)echo "fuzz: $*: no crash in $(FUZZ_SECONDS) s"

bench:
	$(Q)tools/setup build test vm bench
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)tools/bench

install: all
	install -Dm755 $(OUTPUT)/relinktrace $(DESTDIR)$(PREFIX)/bin/relinktrace
	ln -sf relinktrace $(DESTDIR)$(PREFIX)/bin/relinktrace-criu-hook
	install -Dm644 lib/relinktrace.h $(DESTDIR)$(PREFIX)/include/relinktrace.h
	install -Dm644 $(LIB).a $(DESTDIR)$(PREFIX)/lib/librelinktrace.a
	install -Dm755 $(LIB).so $(DESTDIR)$(PREFIX)/lib/$(SONAME).$(VERSION)
	ln -sf $(SONAME).$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/librelinktrace.so
	mkdir -p $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@PACKAGES@|$(PACKAGES)|' \
		lib/relinktrace.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/relinktrace.pc
	for page in docs/*.[138]; do \
		[ -e "$$page" ] || continue; \
		install -Dm644 "$$page" $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; \
	done
	install -Dm644 docs/manifest.schema.json \
		$(DESTDIR)$(PREFIX)/share/relinktrace/manifest.schema.json
	install -Dm644 docs/list.schema.json $(DESTDIR)$(PREFIX)/share/relinktrace/list.schema.json
	install -Dm644 docs/hook.schema.json $(DESTDIR)$(PREFIX)/share/relinktrace/hook.schema.json
	install -Dm644 tools/kubernetes/relinktrace.yaml \
		$(DESTDIR)$(PREFIX)/share/relinktrace/relinktrace.yaml
	mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in tools/systemd/*.service.in; do \
		name=$${unit##*/}; \
		sed 's|@PREFIX@|$(PREFIX)|' "$$unit" \
			>$(DESTDIR)$(PREFIX)/lib/systemd/system/$${name%.in}; \
	done
	install -m644 tools/systemd/*.timer $(DESTDIR)$(PREFIX)/lib/systemd/system

clean:
	rm -rf $(OUTPUT)

-include $(USER_OBJ:.o=.d) $(LIB_OBJ:.o=.d) $(OUTPUT)/relinktrace.bpf.d $(UNIT:=.d) $(HELPERS:=.d) $(OUTPUT)/tests/library/do.d $(FUZZ_OBJ:.o=.d)
