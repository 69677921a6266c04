/* SPDX-License-Identifier: GPL-2.0-only */
/* Any text for the pure functions of text, one of them chosen by the first byte: no
 * crash, nothing filled in after a refusal, and what each promises of its result. */
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/escape.h"
#include "manifest/filelock.h"
#include "manifest/template.h"
#include "proc/container.h"
#include "proc/proctext.h"

#define PROMISE(condition)                                                               \
	do {                                                                             \
		if (!(condition))                                                        \
			abort();                                                         \
	} while (0)

/* What no parser writes, for seeing that it did not write. */
#define UNTOUCHED 0x5a

static bool is_untouched(const void *out, size_t size)
{
	const uint8_t *bytes = out;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != UNTOUCHED)
			return false;
	return true;
}

static void try_stat(const char *text)
{
	struct proctext_stat stat;

	memset(&stat, UNTOUCHED, sizeof(stat));
	if (proctext_stat(text, &stat)) {
		PROMISE(is_untouched(&stat, sizeof(stat)));
		return;
	}
	PROMISE(memchr(stat.comm, '\0', sizeof(stat.comm)));
	PROMISE(strstr(text, stat.comm) && stat.state && strchr(text, stat.state));
}

static void try_fdinfo(const char *text)
{
	struct proctext_fdinfo info;

	memset(&info, UNTOUCHED, sizeof(info));
	if (proctext_fdinfo(text, &info)) {
		PROMISE(is_untouched(&info, sizeof(info)));
		return;
	}
	PROMISE(!(info.flags & O_CLOEXEC) && info.mnt_id >= 0);
	PROMISE(strstr(text, "pos") && strstr(text, "flags") && strstr(text, "mnt_id"));
}

static void try_map(const char *line)
{
	struct proctext_map map;

	memset(&map, UNTOUCHED, sizeof(map));
	if (proctext_map(line, &map)) {
		PROMISE(is_untouched(&map, sizeof(map)));
		return;
	}
	PROMISE(map.start < map.end);
	PROMISE(!map.deleted || strstr(line, PROCTEXT_DELETED));
}

static void try_value(const char *text)
{
	static const struct {
		const char *key;
		int base;
	} asked[] = {{"NSpid", 10}, {"flags", 8}, {"CapEff", 16}};

	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		uint64_t value;
		int ret;

		memset(&value, UNTOUCHED, sizeof(value));
		ret = proctext_value(text, asked[i].key, asked[i].base, &value);
		if (!ret)
			PROMISE(strstr(text, asked[i].key));
		else
			PROMISE(is_untouched(&value, sizeof(value)));
		PROMISE(ret != -ENOENT ||
			strncmp(text, asked[i].key, strlen(asked[i].key)) ||
			!strchr(": \t", text[strlen(asked[i].key)]) ||
			!text[strlen(asked[i].key)]);
	}
}

static void try_cgroup(const char *text)
{
	AUTO_FREE char *path = NULL;

	if (proctext_cgroup(text, &path)) {
		PROMISE(!path && strncmp(text, "0::/", 4) && !strstr(text, "\n0::/"));
		return;
	}
	PROMISE(path[0] == '/' && !strchr(path, '\n') && strstr(text, path));
}

static void try_number(const char *text)
{
	uint64_t value;

	memset(&value, UNTOUCHED, sizeof(value));
	if (proctext_number(text, INT_MAX, &value)) {
		PROMISE(is_untouched(&value, sizeof(value)));
		return;
	}
	PROMISE(text[0] && !text[strspn(text, "0123456789")]);
	PROMISE(value == strtoull(text, NULL, 10) && value >= 1 && value <= INT_MAX);
}

static void try_is_deleted(const char *text)
{
	size_t tail = strlen(PROCTEXT_DELETED), len = strlen(text);

	if (proctext_is_deleted(text))
		PROMISE(text[0] == '/' && len > tail &&
			!memcmp(text + len - tail, PROCTEXT_DELETED, tail));
}

/* Whether @path could lead out of the folder that it is opened in. */
static bool leads_out(const char *path)
{
	size_t len = strlen(path);

	return path[0] == '/' || !strcmp(path, "..") || !strncmp(path, "../", 3) ||
	       strstr(path, "/../") || (len >= 3 && !strcmp(path + len - 3, "/.."));
}

static void try_template(const char *text)
{
	static const struct {
		uint64_t ktime;
		unsigned int n;
	} filled[] = {
		{0, 0}, {0, 1}, {1234567890123456789ULL, 42}, {UINT64_MAX, UINT_MAX}};
	bool good = !template_problem(text);

	for (size_t i = 0; i < sizeof(filled) / sizeof(*filled); i++) {
		char path[RELINK_PATH_MAX], other[RELINK_PATH_MAX];

		memset(path, UNTOUCHED, sizeof(path));
		if (template_expand(text, filled[i].ktime, filled[i].n, path)) {
			PROMISE(!good && is_untouched(path, sizeof(path)));
			continue;
		}
		PROMISE(memchr(path, '\0', sizeof(path)));
		if (!good)
			continue;
		PROMISE(relink_path_valid(path) && !leads_out(path));
		/* No two orphans get one name, and all one folder. */
		PROMISE(!template_expand(text, filled[i].ktime, filled[i].n ^ 1, other));
		PROMISE(strcmp(path, other));
		*(strrchr(path, '/') ?: path) = *(strrchr(other, '/') ?: other) = '\0';
		PROMISE(!strcmp(path, other));
	}
}

static void try_relink_path(const char *text)
{
	if (relink_path_valid(text))
		PROMISE(text[0] && !leads_out(text) && !strstr(text, "//") &&
			strlen(text) < RELINK_PATH_MAX);
}

static void try_base64(const char *text)
{
	AUTO_FREE char *bytes = NULL, *encoded = NULL, *decoded = NULL, *again = NULL;
	size_t len = SIZE_MAX;

	encoded = base64_encode(text, strlen(text));
	PROMISE(encoded && !base64_decode(encoded, &decoded, &len));
	PROMISE(len == strlen(text) && !memcmp(decoded, text, len + 1));
	/* Only the canonical text is taken, so it comes back. */
	len = SIZE_MAX;
	if (base64_decode(text, &bytes, &len)) {
		PROMISE(!bytes && len == SIZE_MAX);
		return;
	}
	again = base64_encode(bytes, len);
	PROMISE(again && !strcmp(again, text) && !bytes[len]);
}

/* Takes \xNN back, in place. */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (*text == '\\') {
			char digits[3] = {text[2], text[3]};

			PROMISE(text[1] == 'x');
			*out++ = (char)strtoul(digits, NULL, 16);
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

static void try_escape(const char *text)
{
	AUTO_FREE char *escaped = escape_control(text);
	json_t *utf8;

	PROMISE(escaped);
	utf8 = json_string(escaped); /* NULL for what is no UTF-8 */
	PROMISE(utf8);
	json_decref(utf8);
	for (const unsigned char *s = (unsigned char *)escaped; *s; s++)
		PROMISE(*s >= 0x20 && *s != 0x7f && !(*s == 0xc2 && s[1] < 0xa0));
	/* Two names never look the same. */
	unescape(escaped);
	PROMISE(!strcmp(escaped, text));
}

static void try_container(const char *text)
{
	struct container container;

	memset(&container, UNTOUCHED, sizeof(container));
	container_of_path(text, &container);
	PROMISE(!container.pod[0] || container_uid_is_valid(container.pod));
	PROMISE(!container.id[0] ||
		(container_prefix_is_valid(container.id) &&
		 strlen(container.id) == CONTAINER_ID_LEN && strstr(text, container.id)));
	if (container_has_prefix(text, ""))
		PROMISE(container_has_prefix(text, container.id));
}

static void try_filelock(const char *line)
{
	struct filelock lock;

	memset(&lock, UNTOUCHED, sizeof(lock));
	if (filelock_parse(line, &lock)) {
		PROMISE(is_untouched(&lock, sizeof(lock)));
		return;
	}
	PROMISE(filelock_type_name(lock.type) && lock.start <= lock.end);
	PROMISE(strstr(line, lock.write ? "WRITE" : "READ") && lock.fd == -1);
}

/* '0' is the first; the seeds in corpus/proctext count on the order. */
static void (*const functions[])(const char *text) = {
	try_stat,   try_fdinfo,	    try_map,	  try_value,	   try_cgroup,
	try_number, try_is_deleted, try_template, try_relink_path, try_base64,
	try_escape, try_container,  try_filelock,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = NULL;

	if (!size)
		return 0;
	/* A copy of its own, so that a byte read past the end is seen. */
	text = strndup((const char *)data + 1, size - 1);
	PROMISE(text);
	functions[(uint8_t)(data[0] - '0') % (sizeof(functions) / sizeof(*functions))](
		text);
	return 0;
}
