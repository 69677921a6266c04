/* SPDX-License-Identifier: GPL-2.0-only */
#include "attributes.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/list.h"

#ifndef FS_DAX_FL /* linux 5.8 */
#define FS_DAX_FL 0x02000000
#endif

struct name {
	uint32_t flag;
	const char *name;
};

/* Names as chattr(1) describes them. Encryption, verity, extents, indexes and inline data
 * are the format's own or need more than a flag. */
static const struct name flags[] = {
	{FS_SECRM_FL, "secrm"},
	{FS_UNRM_FL, "undelete"},
	{FS_COMPR_FL, "compress"},
	{FS_SYNC_FL, "sync"},
	{FS_IMMUTABLE_FL, "immutable"},
	{FS_APPEND_FL, "append"},
	{FS_NODUMP_FL, "nodump"},
	{FS_NOATIME_FL, "noatime"},
	{FS_NOCOMP_FL, "nocompress"},
	{FS_JOURNAL_DATA_FL, "journal_data"},
	{FS_NOTAIL_FL, "notail"},
	{FS_DIRSYNC_FL, "dirsync"},
	{FS_TOPDIR_FL, "topdir"},
	{FS_NOCOW_FL, "nocow"},
	{FS_DAX_FL, "dax"},
	{FS_PROJINHERIT_FL, "projinherit"},
};

#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))

/* As ioctl_xfs_fsgetxattr(2) has them. */
static const struct name hints[] = {
	{FS_XFLAG_REALTIME, "realtime"},	 {FS_XFLAG_RTINHERIT, "rtinherit"},
	{FS_XFLAG_NOSYMLINKS, "nosymlinks"},	 {FS_XFLAG_EXTSIZE, "extsize"},
	{FS_XFLAG_EXTSZINHERIT, "extszinherit"}, {FS_XFLAG_NODEFRAG, "nodefrag"},
	{FS_XFLAG_FILESTREAM, "filestream"},	 {FS_XFLAG_COWEXTSIZE, "cowextsize"},
};

#define N_HINTS (sizeof(hints) / sizeof(hints[0]))

void attributes_fini(struct attributes *attributes)
{
	for (size_t i = 0; i < attributes->n_xattrs; i++) {
		free(attributes->xattrs[i].name);
		free(attributes->xattrs[i].value);
	}
	free(attributes->xattrs);
	*attributes = (struct attributes){0};
}

static uint32_t all_of(const struct name *names, size_t n)
{
	uint32_t all = 0;

	for (size_t i = 0; i < n; i++)
		all |= names[i].flag;
	return all;
}

uint32_t attributes_flags(void)
{
	return all_of(flags, N_FLAGS);
}

uint32_t attributes_hints(void)
{
	return all_of(hints, N_HINTS);
}

const char *attributes_flag_name(uint32_t flag)
{
	for (size_t i = 0; i < N_FLAGS; i++)
		if (flags[i].flag == flag)
			return flags[i].name;
	return NULL;
}

int attributes_add_xattr(struct attributes *attributes, char *name, void *value,
			 size_t size)
{
	struct attributes_xattr *grown;

	grown = list_grow(attributes->xattrs, attributes->n_xattrs, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	attributes->xattrs = grown;
	grown[attributes->n_xattrs++] = (struct attributes_xattr){name, value, size};
	return 0;
}

static json_t *from_names(const struct name *names, size_t n, uint32_t set)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n && array; i++) {
		if (!(set & names[i].flag) ||
		    !json_array_append_new(array, json_string(names[i].name)))
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

static json_t *from_hints(const struct attributes *attributes)
{
	json_t *object = json_object();
	int ret =
		json_set(object, "flags", from_names(hints, N_HINTS, attributes->hints));

	ret = ret ?: json_set(object, "extsize", json_integer(attributes->extsize));
	ret = ret ?: json_set(object, "cowextsize", json_integer(attributes->cowextsize));
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *from_xattr(const struct attributes_xattr *xattr)
{
	AUTO_FREE char *value = base64_encode(xattr->value, xattr->size);
	json_t *object = value ? json_object() : NULL;
	int ret = object ? json_set_bytes(object, "name", xattr->name) : -ENOMEM;

	ret = ret ?: json_set(object, "value_b64", json_string(value));
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *from_xattrs(const struct attributes *attributes)
{
	json_t *array = json_array();

	for (size_t i = 0; i < attributes->n_xattrs && array; i++) {
		/* it is the array's, whatever comes of it */
		if (!json_array_append_new(array, from_xattr(&attributes->xattrs[i])))
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

static json_t *from_time(const struct timespec *time)
{
	char text[31];

	return json_format_date(time, text) ? json_string(text) : json_null();
}

json_t *attributes_to_json(const struct attributes *attributes)
{
	json_t *object = json_object();
	int ret = json_set(object, "inode_flags",
			   attributes->has_flags
				   ? from_names(flags, N_FLAGS, attributes->flags)
				   : json_null());

	ret = ret
		      ?: json_set(object, "project",
				  attributes->has_project
					  ? json_integer(attributes->project)
					  : json_null());
	if (!ret && attributes->hints)
		ret = json_set(object, "hints", from_hints(attributes));
	ret = ret ?: json_set(object, "xattrs", from_xattrs(attributes));
	ret = ret ?: json_set(object, "atime", from_time(&attributes->atime));
	ret = ret ?: json_set(object, "mtime", from_time(&attributes->mtime));
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

/* Names of a later version are left out, as unknown fields are. */
static uint32_t parse_names(struct jsonread *reader, const json_t *object,
			    const char *key, const struct name *names, size_t n)
{
	const json_t *array = jsonread_array(reader, object, key, 64), *element;
	uint32_t set = 0;
	size_t i;

	json_array_foreach((json_t *)array, i, element)
	{
		const char *name = json_string_value(element);

		if (!name) {
			jsonread_fault(reader, key, "names are expected");
			return 0;
		}
		for (size_t j = 0; j < n; j++)
			if (!strcmp(names[j].name, name))
				set |= names[j].flag;
	}
	return set;
}

static void parse_flags(struct jsonread *reader, const json_t *object,
			struct attributes *out)
{
	out->has_flags = !jsonread_null(reader, object, "inode_flags");
	if (out->has_flags)
		out->flags = parse_names(reader, object, "inode_flags", flags, N_FLAGS);
}

/* Only where there are some. */
static void parse_hints(struct jsonread *reader, const json_t *object,
			struct attributes *out)
{
	const json_t *found;

	if (!json_object_get(object, "hints"))
		return;
	found = jsonread_object(reader, object, "hints");
	out->hints = parse_names(reader, found, "flags", hints, N_HINTS);
	out->extsize = jsonread_integer(reader, found, "extsize", 0, UINT32_MAX);
	out->cowextsize = jsonread_integer(reader, found, "cowextsize", 0, UINT32_MAX);
}

static void parse_xattr(struct jsonread *reader, const json_t *object,
			struct attributes *out)
{
	/* XATTR_NAME_MAX and XATTR_SIZE_MAX, linux/limits.h */
	AUTO_FREE char *name = jsonread_bytes(reader, object, "name", 255, false);
	const char *text =
		jsonread_string(reader, object, "value_b64", 65536 / 3 * 4 + 8);
	AUTO_FREE char *value = NULL;
	size_t size;
	int ret;

	if (!name || !text)
		return;
	ret = base64_decode(text, &value, &size);
	if (ret == -EINVAL)
		jsonread_fault(reader, "value_b64", "is no base64");
	ret = ret ?: attributes_add_xattr(out, name, value, size);
	if (ret == -ENOMEM)
		reader->error = ret;
	if (ret)
		return;
	name = NULL;
	value = NULL;
}

static void parse_time(struct jsonread *reader, const json_t *object, const char *key,
		       struct timespec *out)
{
	/* As utimensat(2) has it: it stays what it becomes. */
	if (jsonread_null(reader, object, key))
		out->tv_nsec = UTIME_OMIT;
	else
		*out = jsonread_date(reader, object, key);
}

void attributes_parse(struct jsonread *reader, const json_t *object,
		      struct attributes *out)
{
	const json_t *array, *element;
	size_t i;

	parse_flags(reader, object, out);
	out->has_project = !jsonread_null(reader, object, "project");
	if (out->has_project)
		out->project = jsonread_integer(reader, object, "project", 0, UINT32_MAX);
	parse_hints(reader, object, out);
	array = jsonread_array(reader, object, "xattrs", ATTRIBUTES_MAX_XATTRS);
	json_array_foreach((json_t *)array, i, element)
	{
		if (reader->error)
			return;
		parse_xattr(reader, element, out);
	}
	parse_time(reader, object, "atime", &out->atime);
	parse_time(reader, object, "mtime", &out->mtime);
}
