/* SPDX-License-Identifier: GPL-2.0-only */
/* CRIU's images: the names that it gave files for the time of a dump. */
#include "base/auto.h"
#include "criu/images.h"

#include "check.h"

/* An image that is being made. */
struct image {
	unsigned char bytes[1024];
	size_t len;
};

static void add(struct image *image, const void *bytes, size_t len)
{
	MUST(image->len + len <= sizeof(image->bytes));
	memcpy(image->bytes + image->len, bytes, len);
	image->len += len;
}

static void add_u32(struct image *image, uint32_t value)
{
	add(image, &value, sizeof(value));
}

static void image_begin(struct image *image, uint32_t magic)
{
	image->len = 0;
	add_u32(image, 0x54564319);
	add_u32(image, magic);
}

static void add_message(struct image *image, const struct image *message)
{
	add_u32(image, message->len);
	add(image, message->bytes, message->len);
}

static void add_byte(struct image *image, unsigned int byte)
{
	unsigned char c = byte;

	add(image, &c, 1);
}

/* A field that is a number below 16384. */
static void add_number(struct image *message, unsigned int field, unsigned int value)
{
	add_byte(message, field << 3);
	if (value > 127)
		add_byte(message, (value & 0x7f) | 0x80);
	add_byte(message, value > 127 ? value >> 7 : value);
}

static void add_bytes(struct image *message, unsigned int field, const void *bytes,
		      size_t len)
{
	add_byte(message, field << 3 | 2);
	add_byte(message, len);
	add(message, bytes, len);
}

/* A file_entry with a reg_file_entry, as 3.17.1 writes them. */
static void add_file(struct image *image, unsigned int id, const char *name,
		     unsigned int size)
{
	struct image reg = {.len = 0}, file = {.len = 0};

	add_number(&reg, 1, id);
	add_number(&reg, 2, 02);
	add_number(&reg, 3, 0);
	add_bytes(&reg, 5, "\x08\x00\x10\x00", 4); /* fown */
	add_bytes(&reg, 6, name, strlen(name));
	add_number(&reg, 8, size);
	add_number(&file, 1, 1);
	add_number(&file, 2, id);
	add_bytes(&file, 3, reg.bytes, reg.len);
	add_message(image, &file);
}

static void add_link(struct image *image, unsigned int origin, unsigned int link,
		     int type)
{
	struct image message = {.len = 0};

	add_number(&message, 1, origin);
	add_number(&message, 2, link);
	if (type >= 0)
		add_number(&message, 3, type);
	add_message(image, &message);
}

static struct image files, links;

static void images_make(void)
{
	image_begin(&files, 0x56303138);
	add_file(&files, 300, "/tmp/h1", 5000);
	add_file(&files, 2, "/tmp/ghost", 3);
	add_file(&files, 7, "/tmp/link_remap.7", 5000);
	add_file(&files, 9, "srv/none", 0);
	image_begin(&links, 0x59133954);
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
