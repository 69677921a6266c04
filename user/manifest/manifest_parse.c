/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/base64.h"
#include "orphan/orphan_parse.h"
#include "base/jsonread.h"
#include "fsid_json.h"
#include "manifest.h"
#include "template.h"
#include "base/why.h"

static void json_release(json_t **value)
{
	json_decref(*value);
}

/* An owned text; the fault is the reader's. */
static char *read_copy(struct jsonread *reader, const json_t *object, const char *key,
		       size_t max_length)
{
	return jsonread_bytes(reader, object, key, max_length, false);
}

static enum method read_method(struct jsonread *reader, const json_t *object)
{
	const char *name = jsonread_string(reader, object, "method", 16);
	int method = name ? method_from_name(name) : -1;

	if (method > METHOD_AUTO)
		return method;
	jsonread_fault(reader, "method", "is not a way to preserve a file");
	return METHOD_RECREATE;
}

static void read_steps(struct jsonread *reader, const json_t *object,
		       struct manifest_entry *out)
{
	const json_t *array, *element;
	size_t i;

	array = jsonread_array(reader, object, "steps", MANIFEST_MAX_STEPS);
	json_array_foreach((json_t *)array, i, element)
	{
		enum method method = read_method(reader, element);
		int error = jsonread_integer(reader, element, "errno", 0, INT_MAX);
		AUTO_FREE char *text = read_copy(reader, element, "error", PATH_MAX);

		if (reader->error)
			return;
		if (manifest_add_step(out, method, error, text))
			reader->error = -ENOMEM;
	}
}

static void read_relinked(struct jsonread *reader, const json_t *object,
			  struct manifest_entry *out)
{
	const json_t *relinked = jsonread_object(reader, object, "relinked");

	if (!relinked)
		return;
	out->relinked.ino = jsonread_ino(reader, relinked, "ino");
	out->relinked.has_generation = !jsonread_null(reader, relinked, "generation");
	if (out->relinked.has_generation)
		out->relinked.generation =
			jsonread_integer(reader, relinked, "generation", 0, UINT32_MAX);
	out->relinked.size = jsonread_integer(reader, relinked, "size", 0, INT64_MAX);
	/* Younger than the schema. */
	out->relinked.has_mtime = json_object_get(relinked, "mtime") &&
				  !jsonread_null(reader, relinked, "mtime");
	if (out->relinked.has_mtime)
		out->relinked.mtime = jsonread_timespec(reader, relinked, "mtime");
	if (json_object_get(relinked, "sha256") &&
	    !jsonread_null(reader, relinked, "sha256"))
		jsonread_exact(reader, relinked, "sha256", 64, "0123456789abcdef",
			       out->relinked.sha256);
}

static void read_attributes(struct jsonread *reader, const json_t *object,
			    struct manifest_entry *out)
{
	struct orphan *orphan = &out->orphan;

	orphan->mode |= jsonread_integer(reader, object, "mode", 0, 07777);
	orphan->uid = jsonread_integer(reader, object, "uid", 0, UINT32_MAX);
	orphan->gid = jsonread_integer(reader, object, "gid", 0, UINT32_MAX);
	if (!jsonread_null(reader, object, "rdev"))
		jsonread_dev(reader, object, "rdev", &orphan->rdev_major,
			     &orphan->rdev_minor);
	if (S_ISLNK(orphan->mode) && out->method == METHOD_RECREATE)
		out->link_target = read_copy(reader, object, "target", PATH_MAX);
}

/* The method, and what must agree with it. */
static void read_relink(struct jsonread *reader, const json_t *object,
			struct manifest_entry *out)
{
	bool regular = S_ISREG(out->orphan.mode);

	out->method = read_method(reader, object);
	out->same_inode = jsonread_boolean(reader, object, "same_inode");
	out->relink_path =
		jsonread_bytes(reader, object, "relink_path", RELINK_PATH_MAX - 1, true);
	/* Younger than the schema. */
	out->store = json_object_get(object, "store") &&
		     jsonread_boolean(reader, object, "store");
	if (out->store && out->method == METHOD_LINK)
		jsonread_fault(reader, "store", "contradicts the method");
	if (out->same_inode != (out->method == METHOD_LINK))
		jsonread_fault(reader, "same_inode", "contradicts the method");
	if (!out->relink_path != (out->method == METHOD_RECREATE))
		jsonread_fault(reader, "relink_path", "contradicts the method");
	if (out->relink_path && !relink_path_valid(out->relink_path))
		jsonread_fault(reader, "relink_path",
			       "a relative path without \".\" and \"..\" is expected");
	if (out->method != METHOD_LINK && regular == (out->method == METHOD_RECREATE))
		jsonread_fault(reader, "method", "does not go with the type");
	if (S_ISDIR(out->orphan.mode) && out->method == METHOD_LINK)
		jsonread_fault(reader, "method", "does not go with the type");
}

static void read_pipe(struct jsonread *reader, const json_t *object,
		      struct manifest_pipe *out)
{
	const json_t *pipe = json_object_get(object, "pipe");
	const char *text;
	int ret;

	if (!pipe || json_is_null(pipe))
		return;
	pipe = jsonread_object(reader, object, "pipe");
	out->capacity = jsonread_integer(reader, pipe, "capacity", 1, INT_MAX);
	text = jsonread_string(reader, pipe, "data_b64", MANIFEST_MAX_PIPE / 3 * 4 + 8);
	if (!text)
		return;
	ret = base64_decode(text, &out->data, &out->size);
	if (ret == -EINVAL)
		jsonread_fault(reader, "pipe", "data_b64 is no base64");
	else if (ret)
		reader->error = ret;
	else
		out->known = true;
}

static void read_precopy(struct jsonread *reader, const json_t *object,
			 struct manifest_precopy *out)
{
	const json_t *precopy = jsonread_object(reader, object, "precopy");

	out->made = precopy;
	out->bytes = jsonread_integer(reader, precopy, "bytes", 0, INT64_MAX);
	out->unchanged = jsonread_boolean(reader, precopy, "unchanged");
}

static void read_parent(struct jsonread *reader, const json_t *object,
			struct manifest_parent *out)
{
	const json_t *parent = jsonread_object(reader, object, "parent");

	out->known = parent;
	out->ino = jsonread_ino(reader, parent, "ino");
	out->has_generation = !jsonread_null(reader, parent, "generation");
	if (out->has_generation)
		out->generation =
			jsonread_integer(reader, parent, "generation", 0, UINT32_MAX);
	if (json_object_get(parent, "removed"))
		out->removed = jsonread_boolean(reader, parent, "removed");
}

/* What earlier versions did not write may be absent. */
static void read_carried(struct jsonread *reader, const json_t *object,
			 struct manifest_entry *out)
{
	const json_t *attributes = json_object_get(object, "attributes");

	json_to_filelocks(reader, object, &out->locks);
	json_to_fileowners(reader, object, &out->owners);
	out->not_carried = jsonread_bytes(reader, object, "not_carried", PATH_MAX, true);
	if (json_object_get(object, "precopy"))
		read_precopy(reader, object, &out->precopy);
	if (S_ISDIR(out->orphan.mode) && json_object_get(object, "parent"))
		read_parent(reader, object, &out->parent);
	if (S_ISFIFO(out->orphan.mode))
		read_pipe(reader, object, &out->pipe);
	if (!attributes || json_is_null(attributes))
		return;
	attributes = jsonread_object(reader, object, "attributes");
	if (!attributes)
		return;
	if (out->method == METHOD_LINK)
		jsonread_fault(reader, "attributes", "contradicts the method");
	out->has_attributes = true;
	attributes_parse(reader, attributes, &out->attributes);
}

static void read_entry(struct jsonread *reader, const json_t *object,
		       struct manifest_entry *out)
{
	json_to_orphan(reader, object, MANIFEST_MAX_HOLDERS, &out->orphan);
	out->n = jsonread_integer(reader, object, "n", 1, UINT_MAX);
	read_relink(reader, object, out);
	out->bytes_copied =
		jsonread_integer(reader, object, "bytes_copied", 0, INT64_MAX);
	read_steps(reader, object, out);
	read_attributes(reader, object, out);
	out->mount_root = jsonread_bytes(reader, object, "mount_root", PATH_MAX,
					 out->method == METHOD_RECREATE || out->store);
	if (out->mount_root && !absolute_path_valid(out->mount_root))
		jsonread_fault(reader, "mount_root",
			       "an absolute path without \".\" and \"..\" is expected");
	fsid_from_json(reader, object, out->fsid);
	if (out->method != METHOD_RECREATE)
		read_relinked(reader, object, out);
	read_carried(reader, object, out);
}

static void read_entries(struct jsonread *reader, const json_t *root,
			 struct manifest *out)
{
	const json_t *array, *element;
	size_t i;

	array = jsonread_array(reader, root, "entries", MANIFEST_MAX_ENTRIES);
	json_array_foreach((json_t *)array, i, element)
	{
		AUTO(manifest_entry_fini) struct manifest_entry entry = {0};

		if (reader->error)
			return;
		snprintf(reader->where, sizeof(reader->where), "entries[%zu]", i);
		read_entry(reader, element, &entry);
		if (!reader->error && manifest_add_entry(out, &entry))
			reader->error = -ENOMEM;
	}
	reader->where[0] = '\0';
}

static void read_failed(struct jsonread *reader, const json_t *root, struct manifest *out)
{
	const json_t *array, *element;
	size_t i;

	array = jsonread_array(reader, root, "failed", MANIFEST_MAX_ENTRIES);
	json_array_foreach((json_t *)array, i, element)
	{
		AUTO(manifest_failed_fini) struct manifest_failed failed = {0};

		if (reader->error)
			return;
		snprintf(reader->where, sizeof(reader->where), "failed[%zu]", i);
		json_to_orphan(reader, element, MANIFEST_MAX_HOLDERS, &failed.orphan);
		failed.n = jsonread_integer(reader, element, "n", 1, UINT_MAX);
		failed.error = jsonread_integer(reader, element, "errno", 0, INT_MAX);
		failed.text = read_copy(reader, element, "error", 4 * PATH_MAX);
		if (!reader->error && manifest_add_failed(out, &failed))
			reader->error = -ENOMEM;
	}
	reader->where[0] = '\0';
}

static void read_folder(struct jsonread *reader, const json_t *object,
			struct manifest_folder *out)
{
	const json_t *mount, *holder;

	jsonread_dev(reader, object, "dev", &out->dev_major, &out->dev_minor);
	out->ino = jsonread_ino(reader, object, "ino");
	out->path = read_copy(reader, object, "path", RELINK_PATH_MAX - 1);
	if (out->path && !relink_path_valid(out->path))
		jsonread_fault(reader, "path",
			       "a relative path without \".\" and \"..\" is expected");
	/* Younger than the schema. */
	out->store = json_object_get(object, "store") &&
		     jsonread_boolean(reader, object, "store");
	if (out->store)
		return;
	mount = jsonread_object(reader, object, "mount");
	holder = jsonread_object(reader, object, "holder");
	out->mount_point = jsonread_bytes(reader, mount, "point", PATH_MAX, true);
	out->mnt_id = jsonread_integer(reader, mount, "id", 0, INT_MAX);
	out->mount_root = read_copy(reader, mount, "root", PATH_MAX);
	if (out->mount_root && !absolute_path_valid(out->mount_root))
		jsonread_fault(reader, "mount",
			       "root must be absolute, without \".\" and \"..\"");
	fsid_from_json(reader, mount, out->fsid);
	out->pid = jsonread_integer(reader, holder, "pid", 1, INT_MAX);
	out->start_time = jsonread_integer(reader, holder, "start_time", 0, INT64_MAX);
}

static void read_folders(struct jsonread *reader, const json_t *root,
			 struct manifest *out)
{
	const json_t *array, *element;
	size_t i;

	array = jsonread_array(reader, root, "folders", MANIFEST_MAX_FOLDERS);
	json_array_foreach((json_t *)array, i, element)
	{
		AUTO(manifest_folder_fini) struct manifest_folder folder = {0};

		if (reader->error)
			return;
		snprintf(reader->where, sizeof(reader->where), "folders[%zu]", i);
		read_folder(reader, element, &folder);
		if (!reader->error && manifest_add_folder(out, &folder))
			reader->error = -ENOMEM;
	}
	reader->where[0] = '\0';
}

static void read_head(struct jsonread *reader, const json_t *root, struct manifest *out)
{
	const json_t *cgroup = jsonread_object(reader, root, "cgroup");

	jsonread_exact(reader, root, "id", 32, "0123456789abcdef", out->id);
	out->created_ns = jsonread_time(reader, root, "created_at");
	out->ktime = jsonread_integer(reader, root, "ktime", 0, INT64_MAX);
	jsonread_exact(reader, root, "boot_id", 36, "0123456789abcdef-", out->boot_id);
	out->kernel = read_copy(reader, root, "kernel", 255);
	out->cgroup = read_copy(reader, cgroup, "path", PATH_MAX);
	out->cgroup_id = jsonread_integer(reader, cgroup, "id", 0, INT64_MAX);
	out->template = read_copy(reader, root, "template", RELINK_PATH_MAX);
	if (out->template && template_problem(out->template))
		jsonread_fault(reader, "template", template_problem(out->template));
	store_from_json(reader, root, &out->store);
	out->complete = jsonread_boolean(reader, root, "complete");
}

static int number_compare(const void *left, const void *right)
{
	unsigned int a = *(const unsigned int *)left, b = *(const unsigned int *)right;

	return a < b ? -1 : a > b;
}

/* Names are told apart by their number: none may occur twice. */
static void check_numbers(struct jsonread *reader, const struct manifest *manifest)
{
	size_t n = manifest->n_entries + manifest->n_failed;
	AUTO_FREE unsigned int *numbers = calloc(n + 1, sizeof(*numbers));

	if (!numbers) {
		reader->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < manifest->n_entries; i++)
		numbers[i] = manifest->entries[i].n;
	for (size_t i = 0; i < manifest->n_failed; i++)
		numbers[manifest->n_entries + i] = manifest->failed[i].n;
	qsort(numbers, n, sizeof(*numbers), number_compare);
	for (size_t i = 1; i < n; i++)
		if (numbers[i] == numbers[i - 1])
			jsonread_fault(reader, "n", "two entries have the same number");
}

/* A checkpoint makes no other names than those of its template, and in a store: so a
 * manifest cannot name any file that somebody wants opened or removed. */
static void check_names(struct jsonread *reader, const struct manifest *manifest)
{
	char path[RELINK_PATH_MAX];

	for (size_t i = 0; i < manifest->n_entries; i++) {
		const struct manifest_entry *entry = &manifest->entries[i];

		if (entry->store && !manifest->store.path)
			jsonread_fault(reader, "store", "is nowhere");
		if (entry->relink_path &&
		    (manifest_name(manifest, entry->store, entry->n, path) ||
		     strcmp(path, entry->relink_path)))
			jsonread_fault(reader, "relink_path",
				       "is not what the template makes");
	}
	for (size_t i = 0; i < manifest->n_folders; i++) {
		const char *folder = manifest->folders[i].path;
		size_t len = strlen(folder);

		if (manifest->folders[i].store && !manifest->store.path)
			jsonread_fault(reader, "store", "is nowhere");
		if (manifest_name(manifest, manifest->folders[i].store, 1, path) ||
		    strncmp(path, folder, len) || path[len] != '/')
			jsonread_fault(reader, "folders",
				       "a path is not of the template");
	}
}

int manifest_parse(const char *text, size_t len, struct manifest *out, char **why)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(json_release) json_t *root = NULL;
	struct jsonread reader = {0};
	const char *schema;
	json_error_t error;

	if (len > MANIFEST_MAX_BYTES)
		return why_set(why, -EINVAL, "longer than %u bytes", MANIFEST_MAX_BYTES);
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return why_set(why, -EINVAL, "line %d: %s", error.line, error.text);
	schema = jsonread_string(&reader, root, "schema", 64);
	if (!schema || strcmp(schema, MANIFEST_SCHEMA))
		return why_set(why, -EINVAL, "not a manifest: schema is not \"%s\"",
			       MANIFEST_SCHEMA);
	read_head(&reader, root, &manifest);
	read_entries(&reader, root, &manifest);
	read_failed(&reader, root, &manifest);
	read_folders(&reader, root, &manifest);
	if (!reader.error)
		check_numbers(&reader, &manifest);
	if (!reader.error)
		check_names(&reader, &manifest);
	if (reader.error)
		return why_set(why, reader.error, "%s", reader.fault);
	*out = manifest;
	manifest = (struct manifest){0};
	return 0;
}
