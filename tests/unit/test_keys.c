/* SPDX-License-Identifier: GPL-2.0-only */
/* The keys that CRIU knows files by: as it writes them, and read back strictly. */
#include <string.h>

#include "base/auto.h"
#include "criu/keys.h"

#include "check.h"

#define HEAD "{\"schema\":\"relinktrace.criu/1\",\"id\":\"0123\",\"left\":[],"

#define ROOT "\"dev_major\":1,\"dev_minor\":2,\"mnt_id\":3,\"pid\":4,\"start_time\":5,"

static void test_text(void)
{
	struct criu_key key = {.mnt_id = 25, .ino = 127};
	char text[64];

	criu_key_text(&key, text);
	CHECK_STR(text, "file[19:7f]");
	key = (struct criu_key){.mnt_id = 2147483647, .ino = UINT64_MAX};
	criu_key_text(&key, text);
	CHECK_STR(text, "file[7fffffff:ffffffffffffffff]");
}

static void test_parse(void)
{
	static const char text[] =
		HEAD "\"taken\":[{\"n\":4,\"mnt_id\":25,\"ino\":\"7f\"},"
		     "{\"n\":4,\"mnt_id\":26,\"ino\":\"7f\"},"
		     "{\"n\":4,\"mnt_id\":25,\"ino\":\"7f\"}]}";
	AUTO(criu_keys_fini) struct criu_keys keys = {0};

	CHECK_INT(criu_keys_parse(text, strlen(text), &keys, NULL), 0);
	CHECK_STR(keys.id, "0123");
	CHECK_INT(keys.n_keys, 2); /* one of them is there twice */
	CHECK(keys.keys && keys.keys[1].n == 4 && keys.keys[1].mnt_id == 26 &&
	      keys.keys[1].ino == 0x7f);
}

static void test_signposts(void)
{
	static const char text[] = HEAD "\"taken\":[],\"config\":\"/etc/criu/runc.conf\","
					"\"root\":{" ROOT "\"mount_root\":\"/srv\"}}";
	AUTO(criu_keys_fini) struct criu_keys keys = {0};

	CHECK_INT(criu_keys_parse(text, strlen(text), &keys, NULL), 0);
	CHECK_STR(keys.config, "/etc/criu/runc.conf");
	CHECK_STR(keys.root.mount_root, "/srv");
	CHECK_STR(keys.root.path, ".");
	CHECK_INT(keys.root.dev_minor, 2);
	CHECK_INT(keys.root.pid, 4);
}

static void check_refused(const char *text, const char *says)
{
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	AUTO_FREE char *why = NULL;

	CHECK_INT(criu_keys_parse(text, strlen(text), &keys, &why), -EINVAL);
	CHECK(!keys.n_keys && why && strstr(why, says));
}

static void test_refused(void)
{
	check_refused("", "line");
	check_refused("[]", "schema");
	check_refused("{\"schema\":\"relinktrace.criu/2\",\"id\":\"\",\"taken\":[]}",
		      "schema");
	check_refused("{\"schema\":\"relinktrace.criu/1\",\"taken\":[]}", "id");
	check_refused("{\"schema\":\"relinktrace.criu/1\",\"id\":"
		      "\"012345678901234567890123456789012\",\"taken\":[]}",
		      "id");
	check_refused(HEAD "\"taken\":[1]}", "taken[0]");
	check_refused(HEAD "\"taken\":[{\"n\":1,\"mnt_id\":-1,\"ino\":\"7f\"}]}",
		      "mnt_id");
	check_refused(HEAD "\"taken\":[{\"n\":1,\"mnt_id\":1,\"ino\":\"7F\"}]}", "ino");
	check_refused(HEAD "\"taken\":[{\"n\":1,\"mnt_id\":1,\"ino\":127}]}", "ino");
	check_refused(HEAD "\"taken\":[],\"taken\":[]}", "line");
	check_refused(HEAD "\"taken\":[],\"config\":1}", "config");
	check_refused(HEAD "\"taken\":[],\"root\":{\"dev_major\":1}}", "dev_minor");
	check_refused(HEAD "\"taken\":[],\"root\":{" ROOT "\"mount_root\":\"x\"}}",
		      "mount_root");
}

int main(void)
{
	test_text();
	test_parse();
	test_signposts();
	test_refused();
	return check_done();
}
