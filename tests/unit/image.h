/* SPDX-License-Identifier: GPL-2.0-only */
/* CRIU's images files.img and remap-fpath.img, made by hand. */
#ifndef RELINKTRACE_IMAGE_H
#define RELINKTRACE_IMAGE_H

#include <stdint.h>

#include "check.h"

#define IMAGE_FILES 0x56303138
#define IMAGE_LINKS 0x59133954

/* An image that is being made. */
struct image {
	unsigned char bytes[1024];
	size_t len;
};

static inline void add(struct image *image, const void *bytes, size_t len)
{
	MUST(image->len + len <= sizeof(image->bytes));
	memcpy(image->bytes + image->len, bytes, len);
	image->len += len;
}

static inline void add_u32(struct image *image, uint32_t value)
{
	add(image, &value, sizeof(value));
}

static inline void image_begin(struct image *image, uint32_t magic)
{
	image->len = 0;
	add_u32(image, 0x54564319);
	add_u32(image, magic);
}

static inline void add_message(struct image *image, const struct image *message)
{
	add_u32(image, message->len);
	add(image, message->bytes, message->len);
}

static inline void add_byte(struct image *image, unsigned int byte)
{
	unsigned char c = byte;

	add(image, &c, 1);
}

/* A field that is a number below 16384. */
static inline void add_number(struct image *message, unsigned int field,
			      unsigned int value)
{
	add_byte(message, field << 3);
	if (value > 127)
		add_byte(message, (value & 0x7f) | 0x80);
	add_byte(message, value > 127 ? value >> 7 : value);
}

static inline void add_bytes(struct image *message, unsigned int field, const void *bytes,
			     size_t len)
{
	add_byte(message, field << 3 | 2);
	add_byte(message, len);
	add(message, bytes, len);
}

/* A file_entry with a reg_file_entry, as 3.17.1 writes them. */
static inline void add_file(struct image *image, unsigned int id, const char *name,
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

static inline void add_link(struct image *image, unsigned int origin, unsigned int link,
			    int type)
{
	struct image message = {.len = 0};

	add_number(&message, 1, origin);
	add_number(&message, 2, link);
	if (type >= 0)
		add_number(&message, 3, type);
	add_message(image, &message);
}

#endif
