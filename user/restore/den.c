/* SPDX-License-Identifier: GPL-2.0-only */
#include "den.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/name.h"
#include "base/why.h"
#include "journal/journal.h"
#include "locate.h"
#include "preserve/beneath.h"

/* Numbers are a pid (below 2^22, PID_MAX_LIMIT) and above it which try it is. */
#define PID_BITS 22
#define TRIES	 64

_Static_assert(sizeof(((struct den *)0)->name) >= JOURNAL_OWN_NAME, "the name fits");

/* Directories that were one inside the other are made so again, see nest.h: all under the
 * same name, and no deeper than a path can be long. */
static void remove_inside(int fd, int depth)
{
	AUTO_FD inner = -1;

	if (!unlinkat(fd, DEN_NAME, 0) || errno != EISDIR)
		return;
	inner = openat(fd, DEN_NAME, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (inner >= 0 && depth < DEN_DEPTH)
		remove_inside(inner, depth + 1);
	unlinkat(fd, DEN_NAME, AT_REMOVEDIR);
}

/* Removes the folder @name, and what is in it, from @parent. 0 or -errno. */
static int den_remove(int parent, const char *name)
{
	AUTO_FD fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return -ESTALE;
	remove_inside(fd, 0);
	return unlinkat(parent, name, AT_REMOVEDIR) ? -errno : 0;
}

void den_fini(struct den *den)
{
	if (den->fd >= 0)
		den_remove(den->parent, den->name);
	auto_close(&den->fd);
	auto_close(&den->parent);
	*den = (struct den)DEN_INIT;
}

/* Opens (O_PATH) the root of the mount of @entry. */
static int open_root(const struct manifest *manifest, const struct manifest_entry *entry,
		     char **why)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	const char *name;
	int ret = locate_entry(manifest, entry, DEN_NAME, &located, why);

	if (ret)
		return ret;
	ret = beneath_open_parent(located.root_fd, located.path, &name);
	return ret < 0 ? why_set(why, ret, "cannot open the root of its mount: %s",
				 strerror(-ret))
		       : ret;
}

int den_make(const struct manifest *manifest, const struct manifest_entry *entry,
	     struct den *out, char **why)
{
	AUTO(den_fini) struct den den = DEN_INIT;
	int ret = -EEXIST;
	struct stat st;

	den.parent = open_root(manifest, entry, why);
	if (den.parent < 0)
		return den.parent;
	for (unsigned int i = 0; i < TRIES && ret == -EEXIST; i++) {
		journal_own_name(manifest->id, getpid() | i << PID_BITS, den.name);
		ret = mkdirat(den.parent, den.name, 0700) ? -errno : 0;
		/* What is looked at below is as good as made. */
		if (name_may_be_made(ret) &&
		    !fstatat(den.parent, den.name, &st, AT_SYMLINK_NOFOLLOW))
			ret = 0;
	}
	if (ret)
		return why_set(why, ret,
			       "cannot make a folder in the root of its mount: %s",
			       strerror(-ret));
	den.fd = openat(den.parent, den.name,
			O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (den.fd < 0 || fstat(den.fd, &st))
		return why_set(why, -errno, "cannot open folder %s: %m", den.name);
	/* Whoever may write to the root could have put another one there. */
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return why_set(why, -ESTALE, "folder %s was replaced while it was made",
			       den.name);
	*out = den;
	den = (struct den)DEN_INIT;
	return 0;
}

static bool same_mount(const struct manifest_entry *a, const struct manifest_entry *b)
{
	return a->orphan.mnt_id == b->orphan.mnt_id &&
	       a->orphan.dev_major == b->orphan.dev_major &&
	       a->orphan.dev_minor == b->orphan.dev_minor;
}

/* Those in the root of the mount of @entry, or in the store. */
static size_t clean_root(const struct manifest *manifest,
			 const struct manifest_entry *entry)
{
	AUTO_FD root = open_root(manifest, entry, NULL), readable = -1;
	AUTO_DIR *stream = NULL;
	struct dirent *found;
	size_t left = 0;

	/* Nothing is to be made again there, so nothing was. */
	if (root < 0)
		return 0;
	readable = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stream = readable < 0 ? NULL : fdopendir(readable);
	if (!stream)
		return 0;
	(void)TAKE_FD(readable);
	while ((found = readdir(stream))) {
		int ret;

		if (!journal_is_own_name(manifest->id, found->d_name))
			continue;
		ret = den_remove(root, found->d_name);
		if (!ret || ret == -ENOENT)
			continue;
		log_error("folder %s in the root of the mount at %s, or in the store, is "
			  "left: %s",
			  found->d_name,
			  entry->orphan.mnt_point ? entry->orphan.mnt_point : "?",
			  strerror(-ret));
		left++;
	}
	return left;
}

/* A restore may have had the mount, or only the store. */
static size_t clean_mount(const struct manifest *manifest,
			  const struct manifest_entry *entry)
{
	struct manifest_entry in_store = {.store = true, .relink_path = (char[]){"-"}};
	size_t left = clean_root(manifest, entry);

	return entry->store ? left + clean_root(manifest, &in_store) : left;
}

size_t den_clean(const struct manifest *manifest)
{
	const struct manifest_entry *last = NULL;
	size_t left = 0;

	for (size_t i = 0; i < manifest->n_entries; i++) {
		const struct manifest_entry *entry = &manifest->entries[i];

		if (entry->method != METHOD_RECREATE || (last && same_mount(last, entry)))
			continue;
		left += clean_mount(manifest, entry);
		last = entry;
	}
	return left;
}
