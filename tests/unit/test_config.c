/* SPDX-License-Identifier: GPL-2.0-only */
/* Options for CRIU in a file that has others too. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "criu/config.h"
#include "proc/proctext.h"

#include "check.h"

#define ID		 "0123456789abcdef0123456789abcdef"
#define OTHER		 "ffffffffffffffffffffffffffffffff"
#define BLOCK(id, lines) "# relinktrace begin " id "\n" lines "# relinktrace end " id "\n"

static void check_without(const char *text, const char *want)
{
	AUTO_FREE char *got = criu_config_without(text, ID);

	CHECK_STR(got, want);
}

static void test_without(void)
{
	check_without("", "");
	check_without("tcp-close\n", "tcp-close\n");
	check_without(BLOCK(ID, "external file[19:7f]\n"), "");
	check_without("a\n" BLOCK(ID, "b\n") "c\n", "a\nc\n");
	check_without("a\n" BLOCK(OTHER, "b\n") BLOCK(ID, "c\n"),
		      "a\n" BLOCK(OTHER, "b\n"));
	/* What is cut off, or only looks like it, is somebody else's. */
	check_without("# relinktrace begin " ID "\nb\n",
		      "# relinktrace begin " ID "\nb\n");
	check_without("x " BLOCK(ID, "b\n"), "x " BLOCK(ID, "b\n"));
}

static void check_file(const char *path, const char *want)
{
	AUTO_FREE char *text = NULL;

	CHECK_INT(proctext_read(AT_FDCWD, path, &text), want ? 0 : -ENOENT);
	CHECK_STR(text, want);
}

static void test_file(void)
{
	char dir[] = "/tmp/relinktrace-config.XXXXXX", path[64];
	struct criu_key one[] = {{.n = 1, .mnt_id = 25, .ino = 127},
				 {.n = 2, .mnt_id = 26, .ino = 1}};
	struct criu_keys keys = {.id = ID, .keys = one, .n_keys = 2};

	MUST(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/runc.conf", dir);
	CHECK_INT(criu_config_remove(path, ID, NULL), 0);
	CHECK_INT(criu_config_add(path, &keys, NULL, NULL), 0);
	check_file(path, BLOCK(ID, "external file[19:7f]\nexternal file[1a:1]\n"));
	/* Again, with something left to CRIU: in the place of the first. */
	keys.n_keys = 0;
	keys.n_left = 1;
	keys.ghost_bytes = 4096;
	CHECK_INT(criu_config_add(path, &keys, NULL, NULL), 0);
	check_file(path, BLOCK(ID, "link-remap\nghost-limit 4096\n"));
	memcpy(keys.id, OTHER, sizeof(keys.id));
	CHECK_INT(criu_config_add(path, &keys, NULL, NULL), 0);
	/* In place of an earlier one, in one step. */
	memcpy(keys.id, ID, sizeof(keys.id));
	CHECK_INT(criu_config_add(path, &keys, OTHER, NULL), 0);
	check_file(path, BLOCK(ID, "link-remap\nghost-limit 4096\n"));
	memcpy(keys.id, OTHER, sizeof(keys.id));
	CHECK_INT(criu_config_add(path, &keys, NULL, NULL), 0);
	CHECK_INT(criu_config_remove(path, ID, NULL), 0);
	check_file(path, BLOCK(OTHER, "link-remap\nghost-limit 4096\n"));
	CHECK_INT(criu_config_remove(path, OTHER, NULL), 0);
	check_file(path, NULL);
	CHECK_INT(rmdir(dir), 0);
	CHECK(criu_config_add(path, &keys, NULL, NULL) == -ENOENT);
}

int main(void)
{
	test_without();
	test_file();
	return check_done();
}
