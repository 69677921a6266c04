/* SPDX-License-Identifier: GPL-2.0-only */
#include "manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/list.h"

static const char *const method_names[] = {
	[METHOD_AUTO] = "auto", [METHOD_LINK] = "link",		[METHOD_CLONE] = "clone",
	[METHOD_COPY] = "copy", [METHOD_RECREATE] = "recreate",
};

const char *method_name(enum method method)
{
	return method_names[method];
}

int method_from_name(const char *name)
{
	for (int i = METHOD_AUTO; i <= METHOD_RECREATE; i++)
		if (!strcmp(name, method_names[i]))
			return i;
	return -1;
}

/* Tells a boot from another (random(4)). */
static int read_boot_id(char boot_id[static 37])
{
	AUTO_FD fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[37] = "";
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, 36);
	if (n != 36)
		return n < 0 ? -errno : -EIO;
	memcpy(boot_id, text, sizeof(text));
	return 0;
}

int manifest_name(const struct manifest *manifest, bool store, unsigned int n,
		  char out[static RELINK_PATH_MAX])
{
	if (!store)
		return template_expand(manifest->template, manifest->ktime, n, out);
	store_name(manifest->id, n, out);
	return 0;
}

bool manifest_same_boot(const struct manifest *manifest)
{
	char boot_id[37];

	return !read_boot_id(boot_id) && !strcmp(boot_id, manifest->boot_id);
}

static int make_id(char id[static 33])
{
	uint8_t bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -errno;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int manifest_begin(struct manifest *manifest, const char *cgroup, uint64_t cgroup_id,
		   const char *template)
{
	AUTO(manifest_fini) struct manifest made = {.cgroup_id = cgroup_id};
	struct utsname uts;
	int ret = make_id(made.id);

	ret = ret ?: read_boot_id(made.boot_id);
	if (ret)
		return ret;
	made.created_ns = clock_ns(CLOCK_REALTIME);
	made.ktime = clock_ns(CLOCK_MONOTONIC);
	uname(&uts);
	made.kernel = strdup(uts.release);
	made.cgroup = strdup(cgroup);
	made.template = strdup(template);
	if (!made.kernel || !made.cgroup || !made.template)
		return -ENOMEM;
	*manifest = made;
	made = (struct manifest){0};
	return 0;
}

void manifest_entry_fini(struct manifest_entry *entry)
{
	orphan_fini(&entry->orphan);
	free(entry->relink_path);
	free(entry->mount_root);
	free(entry->link_target);
	attributes_fini(&entry->attributes);
	free(entry->pipe.data);
	filelocks_fini(&entry->locks);
	fileowners_fini(&entry->owners);
	free(entry->not_carried);
	for (size_t i = 0; i < entry->n_steps; i++)
		free(entry->steps[i].text);
	free(entry->steps);
	*entry = (struct manifest_entry){0};
}

void manifest_failed_fini(struct manifest_failed *failed)
{
	orphan_fini(&failed->orphan);
	free(failed->text);
	*failed = (struct manifest_failed){0};
}

void manifest_folder_fini(struct manifest_folder *folder)
{
	free(folder->mount_point);
	free(folder->mount_root);
	free(folder->path);
	*folder = (struct manifest_folder){0};
}

void manifest_fini(struct manifest *manifest)
{
	free(manifest->kernel);
	free(manifest->cgroup);
	free(manifest->template);
	free(manifest->directory);
	store_fini(&manifest->store);
	for (size_t i = 0; i < manifest->n_entries; i++)
		manifest_entry_fini(&manifest->entries[i]);
	free(manifest->entries);
	for (size_t i = 0; i < manifest->n_failed; i++)
		manifest_failed_fini(&manifest->failed[i]);
	free(manifest->failed);
	for (size_t i = 0; i < manifest->n_folders; i++)
		manifest_folder_fini(&manifest->folders[i]);
	free(manifest->folders);
	*manifest = (struct manifest){0};
}

size_t manifest_stored(const struct manifest *manifest)
{
	size_t n = 0;

	for (size_t i = 0; i < manifest->n_entries; i++)
		n += manifest->entries[i].store;
	return n;
}

const struct manifest_entry *manifest_entry_of(const struct manifest *manifest,
					       unsigned int n)
{
	for (size_t i = 0; i < manifest->n_entries; i++)
		if (manifest->entries[i].n == n)
			return &manifest->entries[i];
	return NULL;
}

int manifest_add_entry(struct manifest *manifest, struct manifest_entry *entry)
{
	struct manifest_entry *grown =
		list_grow(manifest->entries, manifest->n_entries, sizeof(*entry));

	if (!grown)
		return -ENOMEM;
	manifest->entries = grown;
	manifest->entries[manifest->n_entries++] = *entry;
	*entry = (struct manifest_entry){0};
	return 0;
}

int manifest_add_failed(struct manifest *manifest, struct manifest_failed *failed)
{
	struct manifest_failed *grown =
		list_grow(manifest->failed, manifest->n_failed, sizeof(*failed));

	if (!grown)
		return -ENOMEM;
	manifest->failed = grown;
	manifest->failed[manifest->n_failed++] = *failed;
	*failed = (struct manifest_failed){0};
	return 0;
}

int manifest_add_folder(struct manifest *manifest, struct manifest_folder *folder)
{
	struct manifest_folder *grown =
		list_grow(manifest->folders, manifest->n_folders, sizeof(*folder));

	if (!grown)
		return -ENOMEM;
	manifest->folders = grown;
	manifest->folders[manifest->n_folders++] = *folder;
	*folder = (struct manifest_folder){0};
	return 0;
}

int manifest_add_step(struct manifest_entry *entry, enum method method, int error,
		      const char *text)
{
	struct manifest_step *grown =
		list_grow(entry->steps, entry->n_steps, sizeof(*entry->steps));
	char *copy;

	if (!grown)
		return -ENOMEM;
	entry->steps = grown;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	grown[entry->n_steps++] =
		(struct manifest_step){.method = method, .error = error, .text = copy};
	return 0;
}
