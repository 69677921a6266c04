/* SPDX-License-Identifier: GPL-2.0-only */
#include "images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/list.h"
#include "base/readall.h"
#include "base/why.h"
#include "handover.h"

/* criu/include/magic.h, images/fdinfo.proto, regfile.proto, remap-file-path.proto. */
#define IMAGE_MAGIC	   0x54564319U
#define FILES_MAGIC	   0x56303138U
#define REMAP_MAGIC	   0x59133954U
#define FILE_TYPE_REG	   1
#define REMAP_TYPE_LINKED  0
#define FIELD_FILE_TYPE	   1
#define FIELD_FILE_REG	   3
#define FIELD_REG_ID	   1
#define FIELD_REG_NAME	   6
#define FIELD_REG_SIZE	   8
#define FIELD_REMAP_ORIGIN 1
#define FIELD_REMAP_ID	   2
#define FIELD_REMAP_TYPE   3

/* The rest of a message or of an image. */
struct bytes {
	const uint8_t *at;
	size_t left;
};

/* A field of a message: a number, or bytes. */
struct field {
	unsigned int number;
	uint64_t value;
	struct bytes bytes; /* at is NULL for a number */
};

/* A regular file of files.img. */
struct reg {
	uint64_t id;
	struct bytes name;
	uint64_t size;
};

struct regs {
	struct reg *regs; /* owned */
	size_t n;
};

static void regs_fini(struct regs *regs)
{
	free(regs->regs);
}

void criu_remaps_fini(struct criu_remaps *remaps)
{
	for (size_t i = 0; i < remaps->n; i++) {
		free(remaps->remaps[i].name);
		free(remaps->remaps[i].path);
	}
	free(remaps->remaps);
	*remaps = (struct criu_remaps){0};
}

static bool take_varint(struct bytes *from, uint64_t *out)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64 && from->left; shift += 7) {
		uint8_t byte = *from->at++;

		from->left--;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*out = value;
			return true;
		}
	}
	return false;
}

static bool take_bytes(struct bytes *from, uint64_t len, struct bytes *out)
{
	if (len > from->left)
		return false;
	*out = (struct bytes){from->at, len};
	from->at += len;
	from->left -= len;
	return true;
}

static bool take_u32(struct bytes *from, uint32_t *out)
{
	struct bytes bytes;

	if (!take_bytes(from, sizeof(*out), &bytes))
		return false;
	memcpy(out, bytes.at, sizeof(*out));
	return true;
}

/* The next field; the wire types of protobuf's encoding. */
static bool take_field(struct bytes *from, struct field *out)
{
	struct field field = {0};
	uint64_t key, len;

	if (!take_varint(from, &key) || key >> 3 > UINT32_MAX)
		return false;
	field.number = key >> 3;
	switch (key & 7) {
	case 0:
		if (!take_varint(from, &field.value))
			return false;
		break;
	case 1:
		if (!take_bytes(from, 8, &field.bytes))
			return false;
		break;
	case 2:
		if (!take_varint(from, &len) || !take_bytes(from, len, &field.bytes))
			return false;
		break;
	case 5:
		if (!take_bytes(from, 4, &field.bytes))
			return false;
		break;
	default:
		return false;
	}
	*out = field;
	return true;
}

/* Calls @each with every message of an image. 0 or -errno. */
static int each_message(struct bytes image, uint32_t magic,
			int (*each)(struct bytes message, void *data), void *data)
{
	uint32_t first, second, len;

	if (!take_u32(&image, &first) || !take_u32(&image, &second) ||
	    first != IMAGE_MAGIC || second != magic)
		return -EINVAL;
	while (image.left) {
		struct bytes message;
		int ret;

		if (!take_u32(&image, &len) || !take_bytes(&image, len, &message))
			return -EINVAL;
		ret = each(message, data);
		if (ret)
			return ret;
	}
	return 0;
}

static int add_reg(struct regs *regs, struct bytes message)
{
	struct reg reg = {0}, *grown;
	struct field field;

	while (message.left) {
		if (!take_field(&message, &field))
			return -EINVAL;
		if (field.number == FIELD_REG_ID)
			reg.id = field.value;
		else if (field.number == FIELD_REG_NAME)
			reg.name = field.bytes;
		else if (field.number == FIELD_REG_SIZE)
			reg.size = field.value;
	}
	grown = list_grow(regs->regs, regs->n, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	regs->regs = grown;
	grown[regs->n++] = reg;
	return 0;
}

/* A file_entry. */
static int read_file(struct bytes message, void *data)
{
	struct bytes reg = {0};
	struct field field;
	uint64_t type = 0;

	while (message.left) {
		if (!take_field(&message, &field))
			return -EINVAL;
		if (field.number == FIELD_FILE_TYPE)
			type = field.value;
		else if (field.number == FIELD_FILE_REG)
			reg = field.bytes;
	}
	return type == FILE_TYPE_REG && reg.at ? add_reg(data, reg) : 0;
}

static int by_id(const void *left, const void *right)
{
	const struct reg *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

static const struct reg *find_reg(const struct regs *regs, uint64_t id)
{
	struct reg wanted = {.id = id};

	return regs->n ? bsearch(&wanted, regs->regs, regs->n, sizeof(wanted), by_id)
		       : NULL;
}

/* A path without the slashes before it; NULL when memory is out, or it is none. */
static char *path_copy(struct bytes name)
{
	while (name.left && *name.at == '/') {
		name.at++;
		name.left--;
	}
	if (!name.left || memchr(name.at, 0, name.left))
		return NULL;
	return strndup((const char *)name.at, name.left);
}

/* What read_link() is handed. */
struct reading {
	struct regs regs;
	struct criu_remaps *out;
};

static int add_remap(struct criu_remaps *out, const struct reg *link,
		     const struct reg *origin)
{
	struct criu_remap *grown;

	if (out->n == CRIU_REMAPS_MAX)
		return -EINVAL;
	grown = list_grow(out->remaps, out->n, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	out->remaps = grown;
	grown[out->n] = (struct criu_remap){.name = path_copy(link->name),
					    .path = path_copy(origin->name),
					    .size = link->size ?: origin->size};
	out->n++;
	return grown[out->n - 1].name && grown[out->n - 1].path ? 0 : -EINVAL;
}

/* A remap_file_path_entry. */
static int read_link(struct bytes message, void *data)
{
	struct reading *reading = data;
	uint64_t origin = 0, link = 0, type = REMAP_TYPE_LINKED;
	const struct reg *from, *to;
	struct field field;

	while (message.left) {
		if (!take_field(&message, &field))
			return -EINVAL;
		if (field.number == FIELD_REMAP_ORIGIN)
			origin = field.value;
		else if (field.number == FIELD_REMAP_ID)
			link = field.value;
		else if (field.number == FIELD_REMAP_TYPE)
			type = field.value;
	}
	if (type != REMAP_TYPE_LINKED)
		return 0;
	from = find_reg(&reading->regs, origin);
	to = find_reg(&reading->regs, link);
	return from && to ? add_remap(reading->out, to, from) : -EINVAL;
}

static void reading_fini(struct reading *reading)
{
	regs_fini(&reading->regs);
}

int criu_images_parse(const void *files, size_t files_len, const void *links,
		      size_t links_len, struct criu_remaps *out, char **why)
{
	AUTO(criu_remaps_fini) struct criu_remaps remaps = {0};
	AUTO(reading_fini) struct reading reading = {.out = &remaps};
	int ret = each_message((struct bytes){files, files_len}, FILES_MAGIC, read_file,
			       &reading.regs);

	if (ret)
		return why_set(why, ret, "files.img: %s",
			       ret == -EINVAL ? "not as CRIU writes it" : strerror(-ret));
	if (reading.regs.n)
		qsort(reading.regs.regs, reading.regs.n, sizeof(*reading.regs.regs),
		      by_id);
	ret = each_message((struct bytes){links, links_len}, REMAP_MAGIC, read_link,
			   &reading);
	if (ret)
		return why_set(why, ret, CRIU_REMAPS ": %s",
			       ret == -EINVAL ? "not as CRIU writes it" : strerror(-ret));
	*out = remaps;
	remaps = (struct criu_remaps){0};
	return 0;
}

static int read_image(const char *images, const char *name, char **bytes, size_t *len,
		      char **why)
{
	AUTO_FREE char *path = criu_path(images, name);
	AUTO_FD fd = -1;
	int ret;

	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, -errno, "cannot open %s: %m", path);
	ret = readall(fd, CRIU_IMAGE_MAX_BYTES, bytes, len);
	return ret ? why_set(why, ret, "cannot read %s: %s", path, strerror(-ret)) : 0;
}

int criu_images_remaps(const char *images, struct criu_remaps *out, char **why)
{
	AUTO_FREE char *files = NULL, *links = NULL;
	size_t files_len = 0, links_len = 0;
	int ret = read_image(images, "files.img", &files, &files_len, why);

	if (ret)
		return ret;
	ret = read_image(images, CRIU_REMAPS, &links, &links_len, why);
	if (ret == -ENOENT) {
		*out = (struct criu_remaps){0};
		return 0;
	}
	return ret ?: criu_images_parse(files, files_len, links, links_len, out, why);
}
