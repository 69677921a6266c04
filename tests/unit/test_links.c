/* SPDX-License-Identifier: GPL-2.0-only */
/* CRIU's names, where no file can be opened any more: nothing is taken for absent, or for gone,
 * that could not be looked at. */
#include <errno.h>
#include <sys/resource.h>

#include "agent/links.h"
#include "base/auto.h"
#include "base/log.h"

#include "image.h"
#include "place.h"

static char said[4096];

/* For log_set_sink(). */
static void keep_line(const char *level, const char *line, void *data)
{
	(void)level;
	(void)data;
	snprintf(said, sizeof(said), "%s", line);
}

static rlim_t limit_set(rlim_t most)
{
	struct rlimit limit, before;

	MUST(!getrlimit(RLIMIT_NOFILE, &before));
	limit = before;
	limit.rlim_cur = most;
	MUST(!setrlimit(RLIMIT_NOFILE, &limit));
	return before.rlim_cur;
}

/* How many fds are open, when the lowest that is free is the next one. */
static int open_now(void)
{
	AUTO_FD fd = open("/", O_PATH | O_CLOEXEC);

	MUST(fd >= 0);
	return fd;
}

static void image_write(const char *name, const struct image *image)
{
	AUTO_FD fd = open(in_place(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	MUST(write(fd, image->bytes, image->len) == (ssize_t)image->len);
}

/* Images that tell of one name, @in_place("link"). */
static void images_put(void)
{
	struct image files, links;

	image_begin(&files, IMAGE_FILES);
	add_file(&files, 1, "/file", 0);
	add_file(&files, 2, in_place("link"), 0);
	image_begin(&links, IMAGE_LINKS);
	add_link(&links, 1, 2, -1);
	image_write("files.img", &files);
	image_write("remap-fpath.img", &links);
}

static void touch(const char *name)
{
	AUTO_FD fd = open(in_place(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	MUST(fd >= 0);
}

static void test_find(void)
{
	AUTO(links_files_fini) struct links_files there = {0}, absent = {0};
	bool refused = false, found = false;

	images_put();
	CHECK_INT(links_files_find(&absent, place, getpid(), NULL), 0);
	CHECK_INT(absent.n, 0);
	touch("link");
	CHECK_INT(links_files_find(&there, place, getpid(), NULL), 0);
	CHECK_INT(there.n, 1);
	/* With each number of fds: it is found, or it is said why not. */
	for (int more = 0; more < 8 && !found; more++) {
		AUTO(links_files_fini) struct links_files files = {0};
		AUTO_FREE char *why = NULL;
		rlim_t before;
		int ret;

		mount_cache_drop();
		before = limit_set(open_now() + more);
		ret = links_files_find(&files, place, getpid(), &why);
		limit_set(before);
		found = !ret;
		if (found) {
			CHECK_INT(files.n, 1);
			continue;
		}
		CHECK_INT(ret, -EMFILE);
		CHECK(why && strstr(why, "Too many open files"));
		refused |= why && strstr(why, "cannot look at /tmp/");
	}
	CHECK(found && refused);
	MUST(!unlink(in_place("link")));
}

static void test_take_away(void)
{
	struct txn_link link = {.n = 1, .made = true};
	struct roots roots = {0};
	struct stat st;
	rlim_t before;

	touch("link");
	MUST(!lstat(in_place("link"), &st));
	link.ino = st.st_ino;
	link.name = strdup(in_place("link") + 1);
	log_set_sink(keep_line, NULL);
	before = limit_set(open_now());
	CHECK_INT(links_take_away(&roots, &link), -EMFILE);
	limit_set(before);
	CHECK(strstr(said, "is left: Too many open files"));
	CHECK(!lstat(in_place("link"), &st));
	/* Another file's name stays, and is none that is left. */
	link.ino++;
	said[0] = '\0';
	CHECK_INT(links_take_away(&roots, &link), 0);
	CHECK(!lstat(in_place("link"), &st));
	link.ino--;
	CHECK_INT(links_take_away(&roots, &link), 0);
	CHECK(lstat(in_place("link"), &st) && errno == ENOENT);
	CHECK_INT(links_take_away(&roots, &link), 0);
	CHECK_STR(said, "");
	log_set_sink(NULL, NULL);
	free(link.name);
}

static void test_make(void)
{
	struct manifest manifest = {0};
	struct manifest_entry entry = {.n = 1,
				       .relink_path = (char[]){"name"},
				       .orphan = {.mode = S_IFREG, .mnt_id = -1}};
	struct txn_link link = {.n = 1, .name = (char[]){"tmp/link"}};
	struct roots roots = {0};
	AUTO_FREE char *why = NULL;
	rlim_t before = limit_set(open_now());

	CHECK_INT(links_make(&roots, &manifest, &entry, &link, &why), LINKS_FAILED);
	limit_set(before);
	CHECK(why != NULL);
}

int main(void)
{
	place_begin();
	MUST(place_mount("tmpfs"));
	test_find();
	test_take_away();
	test_make();
	place_umount();
	return place_end();
}
