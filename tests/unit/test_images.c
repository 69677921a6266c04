/* SPDX-License-Identifier: GPL-2.0-only */
/* CRIU's images: the names that it gave files for the time of a dump. */
#include "base/auto.h"
#include "criu/images.h"

#include "image.h"

static struct image files, links;

static void images_make(void)
{
	image_begin(&files, IMAGE_FILES);
	add_file(&files, 300, "/tmp/h1", 5000);
	add_file(&files, 2, "/tmp/ghost", 3);
	add_file(&files, 7, "/tmp/link_remap.7", 5000);
	add_file(&files, 9, "srv/none", 0);
	image_begin(&links, IMAGE_LINKS);
	add_link(&links, 2, 1, 1); /* a ghost */
	add_link(&links, 300, 7, -1);
}

static void test_links(void)
{
	AUTO(criu_remaps_fini) struct criu_remaps remaps = {0};

	images_make();
	CHECK_INT(criu_images_parse(files.bytes, files.len, links.bytes, links.len,
				    &remaps, NULL),
		  0);
	CHECK_INT(remaps.n, 1);
	MUST(remaps.n == 1);
	CHECK_STR(remaps.remaps[0].name, "tmp/link_remap.7");
	CHECK_STR(remaps.remaps[0].path, "tmp/h1");
	CHECK_INT(remaps.remaps[0].size, 5000);
}

static void check_refused(const char *says)
{
	AUTO(criu_remaps_fini) struct criu_remaps remaps = {0};
	AUTO_FREE char *why = NULL;

	CHECK_INT(criu_images_parse(files.bytes, files.len, links.bytes, links.len,
				    &remaps, &why),
		  -EINVAL);
	CHECK(!remaps.n && !remaps.remaps && why && strstr(why, says));
}

static void test_refused(void)
{
	images_make();
	links.bytes[4] ^= 1;
	check_refused("remap-fpath.img");
	images_make();
	files.bytes[0] ^= 1;
	check_refused("files.img");
	images_make();
	add_link(&links, 300, 8, 0); /* to a file that is not there */
	check_refused("remap-fpath.img");
	images_make();
	add_file(&files, 11, "", 0); /* without a name */
	add_link(&links, 300, 11, 0);
	check_refused("remap-fpath.img");
	images_make();
	links.len = 0;
	check_refused("remap-fpath.img");
}

/* Cut off anywhere but between two messages, it is refused and nothing is read behind it. */
static void test_cut(void)
{
	size_t refused = 0, n = 0;

	images_make();
	for (size_t len = 0; len < files.len; len++, n++) {
		AUTO(criu_remaps_fini) struct criu_remaps remaps = {0};
		AUTO_FREE unsigned char *copy = malloc(len + !len);

		MUST(copy);
		memcpy(copy, files.bytes, len);
		if (criu_images_parse(copy, len, links.bytes, links.len, &remaps, NULL))
			refused++;
	}
	/* Behind the third message it is whole, for what is wanted. */
	CHECK_INT(n - refused, 1);
}

int main(void)
{
	test_links();
	test_refused();
	test_cut();
	return check_done();
}
