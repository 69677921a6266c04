/* SPDX-License-Identifier: GPL-2.0-only */
#include "rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

/* Members of criu_req and criu_resp, and a value of criu_req_type. */
enum { REQ_TYPE = 1, REQ_OPTS = 2, TYPE_DUMP = 1, RESP_SUCCESS = 2, RESP_MESSAGE = 9 };

/* How a member is written (protobuf.dev, "Encoding"). */
enum { WIRE_NUMBER = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Of a number, seven bits in each. */
#define NUMBER_BYTES 10

void criu_rpc_fini(struct criu_rpc *rpc)
{
	free(rpc->bytes);
	*rpc = (struct criu_rpc){0};
}

static void put(struct criu_rpc *rpc, const void *bytes, size_t len)
{
	if (!len)
		return;
	if (rpc->len + len > rpc->room) {
		size_t room = (rpc->len + len) * 2;
		unsigned char *grown = realloc(rpc->bytes, room);

		if (!grown) {
			rpc->err = -ENOMEM;
			return;
		}
		rpc->bytes = grown;
		rpc->room = room;
	}
	memcpy(rpc->bytes + rpc->len, bytes, len);
	rpc->len += len;
}

static void put_number(struct criu_rpc *rpc, uint64_t value)
{
	unsigned char bytes[NUMBER_BYTES];
	size_t n = 0;

	for (; value > 0x7f; value >>= 7)
		bytes[n++] = value | 0x80;
	bytes[n++] = value;
	put(rpc, bytes, n);
}

static void put_bytes(struct criu_rpc *rpc, unsigned int field, const void *bytes,
		      size_t len)
{
	put_number(rpc, field << 3 | WIRE_BYTES);
	put_number(rpc, len);
	put(rpc, bytes, len);
}

void criu_rpc_number(struct criu_rpc *rpc, enum criu_rpc_field field, uint64_t value)
{
	put_number(rpc, field << 3 | WIRE_NUMBER);
	put_number(rpc, value);
}

void criu_rpc_text(struct criu_rpc *rpc, enum criu_rpc_field field, const char *value)
{
	put_bytes(rpc, field, value, strlen(value));
}

int criu_rpc_dump(const struct criu_rpc *opts, struct criu_rpc *out)
{
	put_number(out, REQ_TYPE << 3 | WIRE_NUMBER);
	put_number(out, TYPE_DUMP);
	put_bytes(out, REQ_OPTS, opts->bytes, opts->len);
	return opts->err ?: out->err;
}

/* The value of @word where it is the option @name with one, or @next is; NULL. */
static const char *value_of(const char *word, const char *name, const char *next,
			    bool *taken)
{
	size_t len = strlen(name);

	*taken = false;
	if (strncmp(word, name, len))
		return NULL;
	if (word[len] == '=' && !strncmp(name, "--", 2))
		return word + len + 1;
	if (word[len] || !next)
		return NULL;
	*taken = true;
	return next;
}

/* A number of up to six digits; -1. */
static long small_number(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > 6 || strspn(text, "0123456789") != len)
		return -1;
	return strtol(text, NULL, 10);
}

static bool add_switch(struct criu_rpc *rpc, const char *word)
{
	static const struct {
		const char *name;
		enum criu_rpc_field field;
	} all[] = {
		{"--ext-unix-sk", CRIU_RPC_EXT_UNIX_SK},
		{"-x", CRIU_RPC_EXT_UNIX_SK},
		{"--tcp-established", CRIU_RPC_TCP_ESTABLISHED},
		{"--evasive-devices", CRIU_RPC_EVASIVE_DEVICES},
		{"--shell-job", CRIU_RPC_SHELL_JOB},
		{"-j", CRIU_RPC_SHELL_JOB},
		{"--file-locks", CRIU_RPC_FILE_LOCKS},
		{"-l", CRIU_RPC_FILE_LOCKS},
		{"--tcp-close", CRIU_RPC_TCP_CLOSE},
	};
	long level = strncmp(word, "-v", 2) ? -1 : small_number(word + 2);

	if (level >= 0) {
		criu_rpc_number(rpc, CRIU_RPC_LOG_LEVEL, level);
		return true;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(word, all[i].name))
			continue;
		criu_rpc_number(rpc, all[i].field, true);
		return true;
	}
	return false;
}

/* An option with a value; *@taken: which is the next word. */
static bool add_valued(struct criu_rpc *rpc, const char *word, const char *next,
		       bool *taken)
{
	const char *value = value_of(word, "-o", next, taken)
				    ?: value_of(word, "--log-file", next, taken);
	long n;

	if (value) {
		criu_rpc_text(rpc, CRIU_RPC_LOG_FILE, value);
		/* "No subdirs are allowed" */
		return *value && !strchr(value, '/');
	}
	value = value_of(word, "--timeout", next, taken);
	n = value ? small_number(value) : -1;
	if (n >= 0)
		criu_rpc_number(rpc, CRIU_RPC_TIMEOUT, n);
	return n >= 0;
}

bool criu_rpc_words(struct criu_rpc *rpc, char *const *words)
{
	for (; words && *words; words++) {
		bool taken;

		if (add_switch(rpc, *words))
			continue;
		if (!add_valued(rpc, *words, words[1], &taken))
			return false;
		words += taken;
	}
	return true;
}

/* What is left of an answer. */
struct rest {
	const unsigned char *bytes;
	size_t len;
};

static bool take_number(struct rest *rest, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t n = 0; n < NUMBER_BYTES && n < rest->len; n++) {
		value |= (uint64_t)(rest->bytes[n] & 0x7f) << (n * 7);
		if (rest->bytes[n] & 0x80)
			continue;
		rest->bytes += n + 1;
		rest->len -= n + 1;
		*out = value;
		return true;
	}
	return false;
}

/* The member at the beginning: its number, its value, and of bytes where they are. */
static bool take_member(struct rest *rest, unsigned int *field, unsigned int *wire,
			uint64_t *value, const unsigned char **bytes)
{
	uint64_t key, skip = 0;

	if (!take_number(rest, &key))
		return false;
	*field = key >> 3;
	*wire = key & 7;
	*bytes = NULL;
	*value = 0;
	if (*wire == WIRE_NUMBER)
		return take_number(rest, value);
	if (*wire == WIRE_BYTES) {
		if (!take_number(rest, value))
			return false;
		skip = *value;
	} else if (*wire == WIRE_64 || *wire == WIRE_32) {
		skip = *wire == WIRE_64 ? 8 : 4;
	} else {
		return false;
	}
	if (skip > rest->len)
		return false;
	*bytes = rest->bytes;
	rest->bytes += skip;
	rest->len -= skip;
	return true;
}

int criu_rpc_answer(const unsigned char *bytes, size_t len, struct criu_answer *out)
{
	struct rest rest = {bytes, len};
	AUTO_FREE char *message = NULL;
	bool told = false, success = false;

	while (rest.len) {
		const unsigned char *text;
		unsigned int field, wire;
		uint64_t value;

		if (!take_member(&rest, &field, &wire, &value, &text))
			return -EBADMSG;
		if (field == RESP_SUCCESS && wire == WIRE_NUMBER) {
			told = true;
			success = value;
		} else if (field == RESP_MESSAGE && wire == WIRE_BYTES) {
			free(TAKE_PTR(message));
			/* A line of the log, with its end. */
			while (value && text[value - 1] == '\n')
				value--;
			message = strndup((const char *)text, value);
			if (!message)
				return -ENOMEM;
		}
	}
	if (!told)
		return -EBADMSG;
	out->success = success;
	out->message = TAKE_PTR(message);
	return 0;
}

bool criu_wants_option(const char *message)
{
	static const char *const options[] = {"--shell-job", "--tcp-established",
					      "--ext-unix-sk", "--file-locks"};

	for (size_t i = 0; message && i < sizeof(options) / sizeof(options[0]); i++)
		if (strstr(message, options[i]))
			return true;
	return false;
}
