/* SPDX-License-Identifier: GPL-2.0-only */
/* The manifest as JSON, in the field order of docs/manifest.schema.json. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/json.h"
#include "orphan/orphan_json.h"
#include "fsid_json.h"
#include "manifest.h"

/* @object, or NULL with the reference given back where @ret tells of a failure. */
static json_t *unless(int ret, json_t *object)
{
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *from_dev(uint32_t dev_major, uint32_t dev_minor)
{
	return json_sprintf("%u:%u", dev_major, dev_minor);
}

/* st_mtim as it is: "-2.500000000" is half a second after -2. */
static json_t *from_timespec(const struct timespec *time)
{
	return json_sprintf("%lld.%09ld", (long long)time->tv_sec, time->tv_nsec);
}

static json_t *from_relinked(const struct manifest_entry *entry)
{
	const struct manifest_relinked *relinked = &entry->relinked;
	json_t *object;
	int ret;

	if (!entry->relink_path)
		return json_null();
	object = json_object();
	ret = json_set(object, "ino", json_from_ino(relinked->ino));
	ret = ret
		      ?: json_set(object, "generation",
				  relinked->has_generation
					  ? json_integer(relinked->generation)
					  : json_null());
	ret = ret ?: json_set(object, "size", json_integer(relinked->size));
	ret = ret
		      ?: json_set(object, "mtime",
				  relinked->has_mtime ? from_timespec(&relinked->mtime)
						      : json_null());
	ret = ret
		      ?: json_set(object, "sha256",
				  relinked->sha256[0] ? json_string(relinked->sha256)
						      : json_null());
	return unless(ret, object);
}

static json_t *from_steps(const struct manifest_entry *entry)
{
	json_t *array = json_array();
	int ret = 0;

	for (size_t i = 0; i < entry->n_steps && !ret; i++) {
		json_t *object = json_object();

		ret = json_set(object, "method",
			       json_string(method_name(entry->steps[i].method)));
		ret = ret
			      ?: json_set(object, "errno",
					  json_integer(entry->steps[i].error));
		ret = ret ?: json_set_bytes(object, "error", entry->steps[i].text);
		if (json_array_append_new(array, object))
			ret = -ENOMEM;
	}
	return unless(ret, array);
}

/* What the inode needs to be made again. */
static int set_attributes(json_t *object, const struct manifest_entry *entry)
{
	const struct orphan *orphan = &entry->orphan;
	bool device = S_ISCHR(orphan->mode) || S_ISBLK(orphan->mode);
	int ret = json_set(object, "mode", json_integer(orphan->mode & 07777));

	ret = ret ?: json_set(object, "uid", json_integer(orphan->uid));
	ret = ret ?: json_set(object, "gid", json_integer(orphan->gid));
	ret = ret
		      ?: json_set(
				 object, "rdev",
				 device ? from_dev(orphan->rdev_major, orphan->rdev_minor)
					: json_null());
	if (entry->link_target)
		ret = ret ?: json_set_bytes(object, "target", entry->link_target);
	return ret;
}

static json_t *from_pipe(const struct manifest_pipe *pipe)
{
	AUTO_FREE char *data = NULL;
	json_t *object;
	int ret;

	if (!pipe->known)
		return json_null();
	data = base64_encode(pipe->data, pipe->size);
	if (!data)
		return NULL;
	object = json_object();
	ret = json_set(object, "capacity", json_integer(pipe->capacity));
	ret = ret ?: json_set(object, "data_b64", json_string(data));
	return unless(ret, object);
}

static json_t *from_precopy(const struct manifest_precopy *precopy)
{
	json_t *object = json_object();
	int ret = json_set(object, "bytes", json_integer(precopy->bytes));

	ret = ret ?: json_set(object, "unchanged", json_boolean(precopy->unchanged));
	return unless(ret, object);
}

static json_t *from_parent(const struct manifest_parent *parent)
{
	json_t *object = json_object();
	int ret = json_set(object, "ino", json_from_ino(parent->ino));

	ret = ret
		      ?: json_set(object, "generation",
				  parent->has_generation
					  ? json_integer(parent->generation)
					  : json_null());
	ret = ret ?: json_set(object, "removed", json_boolean(parent->removed));
	return unless(ret, object);
}

static json_t *from_entry(const struct manifest_entry *entry)
{
	json_t *object = json_from_orphan(&entry->orphan);
	int ret = json_set(object, "n", json_integer(entry->n));

	ret = ret ?: json_set(object, "method", json_string(method_name(entry->method)));
	ret = ret ?: json_set(object, "same_inode", json_boolean(entry->same_inode));
	ret = ret ?: json_set(object, "store", json_boolean(entry->store));
	ret = ret ?: json_set_bytes(object, "relink_path", entry->relink_path);
	ret = ret ?: json_set(object, "bytes_copied", json_integer(entry->bytes_copied));
	ret = ret ?: json_set(object, "steps", from_steps(entry));
	ret = ret ?: set_attributes(object, entry);
	ret = ret ?: json_set(object, "relinked", from_relinked(entry));
	ret = ret ?: json_set_bytes(object, "mount_root", entry->mount_root);
	ret = ret ?: fsid_to_json(object, entry->fsid);
	ret = ret
		      ?: json_set(object, "attributes",
				  entry->has_attributes
					  ? attributes_to_json(&entry->attributes)
					  : json_null());
	if (entry->precopy.made)
		ret = ret ?: json_set(object, "precopy", from_precopy(&entry->precopy));
	if (S_ISFIFO(entry->orphan.mode))
		ret = ret ?: json_set(object, "pipe", from_pipe(&entry->pipe));
	if (entry->parent.known)
		ret = ret ?: json_set(object, "parent", from_parent(&entry->parent));
	ret = ret ?: json_set(object, "locks", json_from_filelocks(&entry->locks));
	ret = ret ?: json_set(object, "owners", json_from_fileowners(&entry->owners));
	ret = ret ?: json_set_bytes(object, "not_carried", entry->not_carried);
	return unless(ret, object);
}

static json_t *from_entries(const struct manifest *manifest)
{
	json_t *array = json_array();
	int ret = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < manifest->n_entries && !ret; i++)
		ret = json_array_append_new(array, from_entry(&manifest->entries[i]));
	return unless(ret, array);
}

static json_t *from_failed(const struct manifest *manifest)
{
	json_t *array = json_array();
	int ret = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < manifest->n_failed && !ret; i++) {
		const struct manifest_failed *failed = &manifest->failed[i];
		json_t *object = json_from_orphan(&failed->orphan);

		ret = json_set(object, "n", json_integer(failed->n));
		ret = ret ?: json_set(object, "errno", json_integer(failed->error));
		ret = ret ?: json_set_bytes(object, "error", failed->text);
		if (json_array_append_new(array, object))
			ret = -ENOMEM;
	}
	return unless(ret, array);
}

static json_t *from_store_folder(const struct manifest_folder *folder)
{
	json_t *object = json_object();
	int ret = json_set(object, "store", json_true());

	ret = ret
		      ?: json_set(object, "dev",
				  from_dev(folder->dev_major, folder->dev_minor));
	ret = ret ?: json_set(object, "ino", json_from_ino(folder->ino));
	ret = ret ?: json_set_bytes(object, "path", folder->path);
	return unless(ret, object);
}

static json_t *from_folder(const struct manifest_folder *folder)
{
	json_t *object, *mount, *holder;
	int ret;

	if (folder->store)
		return from_store_folder(folder);
	object = json_object();
	mount = json_object();
	holder = json_object();
	ret = json_set_bytes(mount, "point", folder->mount_point);
	ret = ret ?: json_set(mount, "id", json_integer(folder->mnt_id));
	ret = ret ?: json_set_bytes(mount, "root", folder->mount_root);
	ret = ret ?: fsid_to_json(mount, folder->fsid);
	ret = ret ?: json_set(holder, "pid", json_integer(folder->pid));
	ret = ret ?: json_set(holder, "start_time", json_integer(folder->start_time));
	ret = ret
		      ?: json_set(object, "dev",
				  from_dev(folder->dev_major, folder->dev_minor));
	ret = ret ?: json_set(object, "ino", json_from_ino(folder->ino));
	ret = ret ?: json_set_bytes(object, "path", folder->path);
	/* These two take the references over whatever happens. */
	if (json_set(object, "mount", mount))
		ret = -ENOMEM;
	if (json_set(object, "holder", holder))
		ret = -ENOMEM;
	return unless(ret, object);
}

static json_t *from_folders(const struct manifest *manifest)
{
	json_t *array = json_array();
	int ret = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < manifest->n_folders && !ret; i++)
		ret = json_array_append_new(array, from_folder(&manifest->folders[i]));
	return unless(ret, array);
}

/* What the names of one owner on one filesystem keep allocated. Nothing is owned. */
struct pin {
	uint32_t uid, dev_major, dev_minor;
	const char *fstype;
	uint64_t files, bytes;
};

/* The pin of @entry, with nothing added up. */
static struct pin pin_of(const struct manifest *manifest,
			 const struct manifest_entry *entry)
{
	const struct orphan *orphan = &entry->orphan;
	const struct store *store = &manifest->store;

	return (struct pin){
		.uid = orphan->uid,
		.dev_major = entry->store ? store->dev_major : orphan->dev_major,
		.dev_minor = entry->store ? store->dev_minor : orphan->dev_minor,
		.fstype = entry->store ? store->fstype : orphan->fstype,
	};
}

/* Adds @entry up in @pins, of which there are @n. How many there are then. */
static size_t pin_add(struct pin *pins, size_t n, const struct manifest *manifest,
		      const struct manifest_entry *entry)
{
	struct pin pin = pin_of(manifest, entry);
	size_t i = 0;

	while (i < n && (pins[i].uid != pin.uid || pins[i].dev_major != pin.dev_major ||
			 pins[i].dev_minor != pin.dev_minor))
		i++;
	if (i == n)
		pins[n++] = pin;
	pins[i].files++;
	pins[i].bytes += entry->orphan.allocated;
	return n;
}

static json_t *from_pin(const struct pin *pin)
{
	json_t *object = json_object();
	int ret = json_set(object, "uid", json_integer(pin->uid));

	ret = ret ?: json_set(object, "dev", from_dev(pin->dev_major, pin->dev_minor));
	ret = ret ?: json_set(object, "fstype", json_string(pin->fstype));
	ret = ret ?: json_set(object, "files", json_integer(pin->files));
	ret = ret ?: json_set(object, "bytes", json_integer(pin->bytes));
	return unless(ret, object);
}

static json_t *from_pins(const struct manifest *manifest)
{
	struct pin *pins = calloc(manifest->n_entries + 1, sizeof(*pins));
	json_t *array = json_array();
	int ret = array && pins ? 0 : -ENOMEM;
	size_t n = 0;

	for (size_t i = 0; i < manifest->n_entries && !ret; i++)
		if (manifest->entries[i].relink_path)
			n = pin_add(pins, n, manifest, &manifest->entries[i]);
	for (size_t i = 0; i < n && !ret; i++)
		ret = json_array_append_new(array, from_pin(&pins[i]));
	free(pins);
	return unless(ret, array);
}

static json_t *from_cgroup(const struct manifest *manifest)
{
	json_t *object = json_object();
	int ret = json_set_bytes(object, "path", manifest->cgroup);

	ret = ret ?: json_set(object, "id", json_integer(manifest->cgroup_id));
	return unless(ret, object);
}

json_t *manifest_to_json(const struct manifest *manifest)
{
	json_t *object = json_object();
	char created_at[31];
	int ret;

	json_format_time(manifest->created_ns, created_at);
	ret = json_set(object, "schema", json_string(MANIFEST_SCHEMA));
	ret = ret ?: json_set(object, "id", json_string(manifest->id));
	ret = ret ?: json_set(object, "created_at", json_string(created_at));
	ret = ret ?: json_set(object, "ktime", json_integer(manifest->ktime));
	ret = ret ?: json_set(object, "boot_id", json_string(manifest->boot_id));
	ret = ret ?: json_set_bytes(object, "kernel", manifest->kernel);
	ret = ret ?: json_set(object, "cgroup", from_cgroup(manifest));
	ret = ret ?: json_set_bytes(object, "template", manifest->template);
	ret = ret ?: json_set(object, "store", store_to_json(&manifest->store));
	ret = ret ?: json_set(object, "complete", json_boolean(manifest->complete));
	ret = ret ?: json_set(object, "entries", from_entries(manifest));
	ret = ret ?: json_set(object, "failed", from_failed(manifest));
	ret = ret ?: json_set(object, "folders", from_folders(manifest));
	ret = ret ?: json_set(object, "pins", from_pins(manifest));
	return unless(ret, object);
}
