/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests to criu and its answers, against the bytes that pycriu makes of the same. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "criu/rpc.h"

#include "check.h"

static void check_bytes(const struct criu_rpc *rpc, const char *want, size_t len)
{
	CHECK_INT(rpc->len, len);
	CHECK(rpc->len == len && !memcmp(rpc->bytes, want, len));
}

static void test_request(void)
{
	AUTO(criu_rpc_fini) struct criu_rpc opts = {0};
	AUTO(criu_rpc_fini) struct criu_rpc request = {0};
	static const char bytes[] =
		"\x08\x01\x12\x13"
		"\x08\x05\x10\xac\x02\x18\x01\x98\x02\x80\x80\x80\x80\x08\xaa\x02\x02xy";

	criu_rpc_number(&opts, CRIU_RPC_IMAGES_DIR_FD, 5);
	criu_rpc_number(&opts, CRIU_RPC_PID, 300);
	criu_rpc_number(&opts, CRIU_RPC_LEAVE_RUNNING, true);
	criu_rpc_number(&opts, CRIU_RPC_GHOST_LIMIT, 1ULL << 31);
	criu_rpc_text(&opts, CRIU_RPC_EXTERNAL, "xy");
	CHECK_INT(criu_rpc_dump(&opts, &request), 0);
	check_bytes(&request, bytes, sizeof(bytes) - 1);
}

/* What has not been made does not go. */
static void test_no_memory(void)
{
	AUTO(criu_rpc_fini) struct criu_rpc request = {0};
	struct criu_rpc opts = {.err = -ENOMEM};

	CHECK_INT(criu_rpc_dump(&opts, &request), -ENOMEM);
}

/* Up to three words, and the bytes that they become; NULL: they do not. */
static void check_words(const char *a, const char *b, const char *c, const char *want)
{
	char *words[] = {(char *)a, (char *)b, (char *)c, NULL};
	AUTO(criu_rpc_fini) struct criu_rpc rpc = {0};
	bool said = criu_rpc_words(&rpc, words);

	CHECK_INT(said, want != NULL);
	if (want)
		check_bytes(&rpc, want, strlen(want));
}

static void test_words(void)
{
	AUTO(criu_rpc_fini) struct criu_rpc none = {0};

	CHECK(criu_rpc_words(&none, NULL));
	CHECK_INT(none.len, 0);
	check_words("-v4", "-o", "a.log",
		    "\x48\x04\x52\x05"
		    "a.log");
	check_words("--log-file=a", NULL, NULL,
		    "\x52\x01"
		    "a");
	check_words("--log-file", "a", "-j",
		    "\x52\x01"
		    "a\x38\x01");
	check_words("--shell-job", "--tcp-established", "--file-locks",
		    "\x38\x01\x28\x01\x40\x01");
	check_words("--timeout", "300", "-x", "\xe8\x02\xac\x02\x20\x01");
	/* of a folder, without a value, of another kind, or not known here */
	check_words("-o", "a/b", NULL, NULL);
	check_words("-o", "", NULL, NULL);
	check_words("-o", NULL, NULL, NULL);
	check_words("-v", NULL, NULL, NULL);
	check_words("-v4x", NULL, NULL, NULL);
	check_words("--timeout", "1m", NULL, NULL);
	check_words("--shell-jobs", NULL, NULL, NULL);
	check_words("--action-script", "true", NULL, NULL);
	check_words("word", NULL, NULL, NULL);
}

static void check_answer(const char *bytes, size_t len, int success, const char *message)
{
	struct criu_answer answer = {0};

	CHECK_INT(criu_rpc_answer((const unsigned char *)bytes, len, &answer), 0);
	CHECK_INT(answer.success, success);
	CHECK_STR(answer.message ? answer.message : "(none)", message);
	free(answer.message);
}

static void test_option(void)
{
	CHECK(!criu_wants_option(NULL));
	CHECK(criu_wants_option(
		"Error (criu/pstree.c:350): The root process 7 is not a session "
		"leader. Consider using --shell-job option"));
	CHECK(!criu_wants_option(
		"Error (criu/files-reg.c:1206): Can't create link remap for "
		"/a. Use link-remap option."));
	CHECK(!criu_wants_option(
		"Error (criu/files-reg.c:899): Can't dump ghost file /a of 2000000 "
		"size, increase limit"));
}

static void check_bad(const char *bytes, size_t len)
{
	struct criu_answer answer = {0};

	CHECK_INT(criu_rpc_answer((const unsigned char *)bytes, len, &answer), -EBADMSG);
}

#define BYTES(text) text, sizeof(text) - 1

static void test_answer(void)
{
	/* of 3.17.1, as it came */
	check_answer(BYTES("\x08\x01\x10\x01\x1a\x02\x08\x00"), true, "(none)");
	check_answer(BYTES("\x08\x01\x10\x00\x38\x11\x4a\x05"
			   "wrong"),
		     false, "wrong");
	check_answer(BYTES("\x10\x00\x4a\x04"
			   "a\nb\n"),
		     false, "a\nb");
	/* the latest of two, and members of other kinds */
	check_answer(BYTES("\x10\x00\x10\x01\x4a\x01"
			   "a\x4a\x00\x61"
			   "12345678\x6d"
			   "1234"),
		     true, "");
	check_bad(BYTES(""));
	check_bad(BYTES("\x08\x01"));
	check_bad(BYTES("\x10"));
	check_bad(BYTES("\x10\x01\x4a\x05"
			"abcd"));
	check_bad(BYTES("\x10\x01\x4a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
			"a"));
	check_bad(BYTES("\x10\x01\x13"));
	check_bad(BYTES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
}

int main(void)
{
	test_request();
	test_no_memory();
	test_words();
	test_answer();
	test_option();
	return check_done();
}
