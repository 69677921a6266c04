/* SPDX-License-Identifier: GPL-2.0-only */
#include "signposts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/durable.h"
#include "base/log.h"
#include "base/why.h"
#include "preserve/beneath.h"
#include "proc/mount.h"
#include "proc/process.h"
#include "restore/locate.h"
#include "restore/roots.h"

/* Where the signpost of @entry leads, from the root: relative, since an absolute link would
 * leave a root that is looked at from outside. Owned by the caller; NULL when memory is
 * out, or the entry has no name or no known mount. */
static char *target_of(const struct manifest_entry *entry)
{
	const char *point = entry->orphan.mnt_point;
	char *target;

	if (!entry->relink_path)
		return NULL;
	if (entry->store) {
		if (asprintf(&target, STORE_OF_ROOT "/%s", entry->relink_path) < 0)
			return NULL;
		return target;
	}
	if (!point || point[0] != '/')
		return NULL;
	point += strspn(point, "/");
	if (asprintf(&target, "%s%s%s", point, point[0] ? "/" : "", entry->relink_path) <
	    0)
		return NULL;
	return target;
}

static bool has_key(const struct criu_keys *keys, unsigned int n)
{
	for (size_t i = 0; i < keys->n_keys; i++)
		if (keys->keys[i].n == n)
			return true;
	return false;
}

static int note_root(pid_t tree, struct manifest_folder *root, char **why)
{
	AUTO(process_fini) struct process process = PROCESS_INIT;
	AUTO(mount_fini) struct mount mount = {0};
	AUTO_FD fd = -1;
	int ret = process_open(tree, &process), id;

	if (!ret) {
		fd = openat(process.dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
		ret = fd < 0 ? -errno : mount_id_of_fd(fd, &id);
	}
	ret = ret ?: mount_find(tree, id, &mount);
	if (ret)
		return why_set(why, ret, "cannot find the root of process %d: %s", tree,
			       strerror(-ret));
	if (strcmp(mount.point, "/"))
		return why_set(why, -EINVAL,
			       "the root of process %d is no mount: CRIU refuses it too",
			       tree);
	root->dev_major = mount.dev_major;
	root->dev_minor = mount.dev_minor;
	root->mnt_id = id;
	root->pid = tree;
	root->start_time = process.stat.start_time;
	root->mount_root = TAKE_PTR(mount.root);
	root->mount_point = strdup("/");
	root->path = strdup(".");
	return root->mount_point && root->path ? 0 : -ENOMEM;
}

/* Why no signpost can lead to @entry from the root of process @tree; NULL when one can. */
static const char *hidden_because(pid_t tree, const struct manifest_entry *entry)
{
	AUTO_FREE char *target = target_of(entry);
	AUTO_FD root = -1, fd = -1;
	char link[64];
	struct stat st;

	if (!entry->relink_path)
		return "it has no relink name that a restore could open";
	if (!target)
		return "its mount is nowhere in sight of its holder";
	if (entry->store) /* not before it is put there for a restore */
		return NULL;
	snprintf(link, sizeof(link), "/proc/%d/root", tree);
	root = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0)
		fd = beneath_open_mounts(root, target, O_PATH | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) || st.st_ino != entry->relinked.ino)
		return "its relink name is not in sight of the process that is dumped";
	return NULL;
}

int signposts_plan(pid_t tree, const struct manifest *manifest, struct criu_keys *keys,
		   char **why)
{
	int ret = note_root(tree, &keys->root, why);

	for (size_t i = 0; i < manifest->n_entries && !ret; i++) {
		const struct manifest_entry *entry = &manifest->entries[i];
		const char *because =
			has_key(keys, entry->n) ? hidden_because(tree, entry) : NULL;

		if (because)
			ret = criu_keys_leave(keys, entry, because);
	}
	return ret;
}

int signposts_take_store(struct manifest *manifest, char *path)
{
	AUTO_FREE char *why = NULL;
	AUTO_FD fd = roots_open(manifest->roots, "/" STORE_OF_ROOT, &why);

	if (fd >= 0) {
		snprintf(path, 32, "/proc/self/fd/%d", fd);
		manifest->store_at = path;
		return TAKE_FD(fd);
	}
	if (fd != -ENOENT)
		log_error("%s", why_text(why));
	for (size_t i = 0; i < manifest->n_entries; i++) {
		struct manifest_entry *entry = &manifest->entries[i];

		if (!entry->store)
			continue;
		free(entry->relink_path);
		entry->relink_path = NULL;
	}
	return TAKE_FD(fd);
}

void signposts_drop_store(const struct manifest *manifest)
{
	AUTO_FD root = manifest->store.path ? roots_open(manifest->roots, "/", NULL) : -1;

	if (root >= 0)
		unlinkat(root, STORE_OF_ROOT, AT_REMOVEDIR);
}

void signposts_clean(struct manifest *manifest, struct clean_result *result)
{
	char path[32];
	AUTO_FD store =
		manifest->store.path ? signposts_take_store(manifest, path) : -ENOENT;

	if (store < 0 && store != -ENOENT)
		result->left++;
	clean_all(manifest, result);
	signposts_drop_store(manifest);
	manifest->store_at = NULL;
}

static int open_root(const struct manifest *manifest, const struct criu_keys *keys,
		     char **why)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	int ret = locate_folder(manifest, &keys->root, &located, why);

	if (ret)
		return ret;
	ret = beneath_open(located.root_fd, located.path, O_PATH | O_DIRECTORY);
	return ret < 0 ? why_set(why, ret, "cannot open the root: %s", strerror(-ret))
		       : ret;
}

/* The name that CRIU looks for. @text has at least 64 bytes. */
static const char *name_of(const struct criu_key *key, char *text)
{
	criu_key_text(key, text);
	return text + 1;
}

/* 0 where @name leads to @target; -ENOENT it is not there; -ESTALE it is another one; -errno.
 */
static int look_at(int root, const char *name, const char *target)
{
	char leads_to[PATH_MAX];
	ssize_t n = readlinkat(root, name, leads_to, sizeof(leads_to));

	if (n < 0)
		return errno == EINVAL ? -ESTALE : -errno;
	return (size_t)n != strlen(target) || memcmp(leads_to, target, n) ? -ESTALE : 0;
}

/* As look_at(). */
static int remove_one(int root, const char *name, const char *target)
{
	int ret = look_at(root, name, target);

	return ret ?: unlinkat(root, name, 0) ? -errno : 0;
}

static int by_file(const void *left, const void *right)
{
	const struct criu_key *a = left, *b = right;

	if (a->mnt_id != b->mnt_id)
		return a->mnt_id < b->mnt_id ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

/* The one of @keys, which are sorted, that is of the file of @like; NULL. */
static const struct criu_key *find_key(const struct criu_keys *keys,
				       const struct criu_key *like)
{
	return keys->n_keys
		       ? bsearch(like, keys->keys, keys->n_keys, sizeof(*like), by_file)
		       : NULL;
}

/* The name that a signpost has before it takes the place of another. @text has at least 64
 * bytes. */
static const char *name_before(const char *name, char *text)
{
	snprintf(text, 64, "%s~", name);
	return text;
}

/* Has @name, which is there, lead to @target, where it is the signpost of @key that @earlier
 * made. 0; -EEXIST it is not; -errno. */
static int replace_one(int root, const char *name, const char *target,
		       const struct criu_key *key,
		       const struct signposts_earlier *earlier)
{
	const struct criu_key *was = earlier ? find_key(earlier->keys, key) : NULL;
	const struct manifest_entry *entry =
		was ? manifest_entry_of(earlier->manifest, was->n) : NULL;
	AUTO_FREE char *led_to = entry ? target_of(entry) : NULL;
	char text[64];
	const char *before = name_before(name, text);

	if (!led_to || look_at(root, name, led_to))
		return -EEXIST;
	/* What one left that was killed. */
	remove_one(root, before, target);
	if (symlinkat(target, root, before))
		return -errno;
	return renameat(root, before, root, name) ? -errno : 0;
}

int signposts_make(const struct manifest *manifest, const struct criu_keys *keys,
		   const struct signposts_earlier *earlier, char **why)
{
	AUTO_FD root = keys->n_keys ? open_root(manifest, keys, why) : -1;

	if (keys->n_keys && root < 0)
		return root;
	for (size_t i = 0; i < keys->n_keys; i++) {
		const struct manifest_entry *entry =
			manifest_entry_of(manifest, keys->keys[i].n);
		AUTO_FREE char *target = entry ? target_of(entry) : NULL;
		char text[64];
		const char *name = name_of(&keys->keys[i], text);
		int ret;

		if (!target)
			return -ENOMEM;
		ret = symlinkat(target, root, name) ? -errno : 0;
		if (ret == -EEXIST)
			ret = replace_one(root, name, target, &keys->keys[i], earlier);
		if (ret)
			return why_set(why, ret,
				       "cannot make %s in the root of process %d: %s%s",
				       name, keys->root.pid, strerror(-ret),
				       ret == -EEXIST ? "; clean an earlier checkpoint"
						      : "");
	}
	return 0;
}

void signposts_remove(const struct manifest *manifest, const struct criu_keys *keys,
		      struct clean_result *result)
{
	AUTO_FREE char *why = NULL;
	AUTO_FD root = keys->root.path && keys->n_keys ? open_root(manifest, keys, &why)
						       : -ENOENT;
	bool removed = false;
	int err;

	if (root < 0 && keys->root.path && keys->n_keys) {
		log_error("%zu signposts are left: %s", keys->n_keys, why_text(why));
		result->left += keys->n_keys;
	}
	for (size_t i = 0; root >= 0 && i < keys->n_keys; i++) {
		const struct manifest_entry *entry =
			manifest_entry_of(manifest, keys->keys[i].n);
		AUTO_FREE char *target = entry ? target_of(entry) : NULL;
		char text[64], other[64];
		const char *name = name_of(&keys->keys[i], text);
		int ret = target ? remove_one(root, name, target) : -ESTALE;

		if (target && !remove_one(root, name_before(name, other), target))
			removed = true;
		if (!ret)
			removed = true;
		if (!ret || ret == -ENOENT || (ret == -ESTALE && keys->shared))
			continue;
		log_error("signpost %s is left: %s", name,
			  ret == -ESTALE ? "it is another name than the one that was made"
					 : strerror(-ret));
		result->left++;
	}
	/* What tells of them may be gone for good by a power failure. */
	err = removed ? durable_folder(root) : 0;
	if (err) {
		log_error("that signposts are gone did not come to the disk: %s",
			  strerror(-err));
		result->left++;
	}
}

void signposts_drop(const struct signposts_earlier *earlier, const struct criu_keys *keys,
		    struct clean_result *result)
{
	struct criu_keys gone = *earlier->keys;

	gone.n_keys = 0;
	gone.keys = calloc(earlier->keys->n_keys + 1, sizeof(*gone.keys));
	for (size_t i = 0; gone.keys && i < earlier->keys->n_keys; i++)
		if (!find_key(keys, &earlier->keys->keys[i]))
			gone.keys[gone.n_keys++] = earlier->keys->keys[i];
	signposts_remove(earlier->manifest, &gone, result);
	free(gone.keys);
}
