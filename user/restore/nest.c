/* SPDX-License-Identifier: GPL-2.0-only */
#include "nest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "den.h"
#include "recreate.h"

/* What make_tree() is handed from one level to the next. */
struct making {
	struct nest *nest;
	const struct manifest *manifest;
	char **why;
};

void nest_fini(struct nest *nest)
{
	for (size_t i = 0; i < nest->n; i++)
		auto_close(&nest->fds[i]);
	free(nest->fds);
	*nest = (struct nest){0};
}

static bool is_directory(const struct manifest_entry *entry)
{
	return entry->method == METHOD_RECREATE && S_ISDIR(entry->orphan.mode);
}

/* An inode number is nobody else's while its file is held: at the checkpoint all were. */
static bool is_in(const struct manifest_entry *inner, const struct manifest_entry *outer)
{
	const struct manifest_parent *parent = &inner->parent;
	const struct orphan *orphan = &outer->orphan;

	return inner != outer && is_directory(inner) && is_directory(outer) &&
	       parent->known && parent->ino == orphan->ino &&
	       inner->orphan.dev_major == orphan->dev_major &&
	       inner->orphan.dev_minor == orphan->dev_minor &&
	       (!parent->has_generation || !orphan->has_generation ||
		parent->generation == orphan->generation);
}

static const struct manifest_entry *outer_of(const struct manifest *manifest,
					     const struct manifest_entry *inner)
{
	for (size_t i = 0; inner->parent.known && i < manifest->n_entries; i++)
		if (is_in(inner, &manifest->entries[i]))
			return &manifest->entries[i];
	return NULL;
}

bool nest_has(const struct manifest *manifest, const struct manifest_entry *entry)
{
	if (!is_directory(entry))
		return false;
	for (size_t i = 0; i < manifest->n_entries; i++)
		if (is_in(&manifest->entries[i], entry))
			return true;
	return outer_of(manifest, entry);
}

void nest_tell_lost(const struct manifest *manifest, const struct manifest_entry *entry)
{
	if (is_directory(entry) && entry->parent.removed && !outer_of(manifest, entry))
		log_warning("orphan%u: the directory that it was in was removed too, and "
			    "nobody held it: \"..\" of it leads to an empty one of ours",
			    entry->n);
}

/* Makes @entry in @dir_fd, all that was in it, and takes their names away again, inner ones
 * first. Attributes come last: until then nobody else may go in, and what is made and
 * removed inside changes the times. */
static int make_tree(struct making *making, int dir_fd,
		     const struct manifest_entry *entry, int depth)
{
	const struct manifest *manifest = making->manifest;
	int *fd = &making->nest->fds[entry - manifest->entries];
	int ret = 0;

	if (*fd >= 0 || depth == DEN_DEPTH)
		return why_set(making->why, -ELOOP, "folders are inside each other");
	*fd = recreate_bare(dir_fd, DEN_NAME, entry, making->why);
	if (*fd < 0)
		return *fd;
	for (size_t i = 0; i < manifest->n_entries && !ret; i++)
		if (is_in(&manifest->entries[i], entry))
			ret = make_tree(making, *fd, &manifest->entries[i], depth + 1);
	if (ret)
		return ret;
	if (unlinkat(dir_fd, DEN_NAME, AT_REMOVEDIR))
		return why_set(making->why, -errno, "cannot remove it again: %s",
			       strerror(errno));
	return recreate_dress(*fd, DEN_NAME, entry, making->why);
}

static int nest_begin(struct nest *nest, size_t n)
{
	if (nest->fds)
		return 0;
	nest->fds = malloc(n * sizeof(*nest->fds));
	if (!nest->fds)
		return -ENOMEM;
	nest->n = n;
	for (size_t i = 0; i < n; i++)
		nest->fds[i] = -1;
	return 0;
}

int nest_open(struct nest *nest, const struct manifest *manifest,
	      const struct manifest_entry *entry, char **why)
{
	AUTO(den_fini) struct den den = DEN_INIT;
	struct making making = {nest, manifest, why};
	const struct manifest_entry *outermost = entry, *outer;
	int *fd, again, ret = nest_begin(nest, manifest->n_entries);

	if (ret)
		return ret;
	fd = &nest->fds[entry - manifest->entries];
	for (int i = 0; *fd < 0 && (outer = outer_of(manifest, outermost)); i++) {
		if (i == DEN_DEPTH)
			return why_set(why, -ELOOP, "folders are inside each other");
		outermost = outer;
	}
	if (*fd < 0)
		ret = den_make(manifest, outermost, &den, why);
	if (!ret && *fd < 0)
		ret = make_tree(&making, den.fd, outermost, 0);
	if (ret)
		return ret;
	again = fcntl(*fd, F_DUPFD_CLOEXEC, 0);
	return again < 0 ? -errno : again;
}
