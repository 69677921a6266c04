// SPDX-License-Identifier: GPL-2.0-only
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/advice.h"
#include "base/auto.h"
#include "clean.h"
#include "journal/index.h"
#include "locate.h"
#include "base/list.h"
#include "base/log.h"
#include "base/openfiles.h"
#include "base/progress.h"
#include "recreate.h"
#include "nest.h"
#include "preserve/digest.h"
#include "preserve/fifo.h"
#include "preserve/relink.h"
#include "relock.h"
#include "reown.h"
#include "refill.h"
#include "reopen.h"
#include "tell.h"
#include "tmpfile.h"
#include "via.h"
#include "base/why.h"

/* sd_listen_fds(3), SD_LISTEN_FDS_START */
#define LISTEN_FIRST 3

void restore_fini(struct restore *restore)
{
	fdplan_fini(&restore->plan);
	free(restore->files);
	auto_close(&restore->cwd_fd);
	nest_fini(&restore->nest);
	seals_fini(&restore->seals);
	*restore = (struct restore)RESTORE_INIT;
}

/* A copy that is not as long as it was made is not what was preserved; a linked file is
 * the program's own, and may have grown by another name. */
static int check_size(const struct manifest_entry *entry, int fd, char **why)
{
	struct stat st;

	if (fstat(fd, &st))
		return why_set(why, -errno, "cannot look at it: %s", strerror(errno));
	if (entry->same_inode || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size == entry->relinked.size)
		return 0;
	return why_set(why, -ESTALE,
		       "%s has %lld bytes, %llu were preserved: it was written to",
		       entry->relink_path, (long long)st.st_size,
		       (unsigned long long)entry->relinked.size);
}

/* Every byte, where the checkpoint was asked for a digest; a linked file too. */
static int check_digest(const struct manifest_entry *entry, int fd, char **why)
{
	char digest[DIGEST_TEXT];
	int ret;

	if (!entry->relinked.sha256[0])
		return 0;
	ret = digest_file(fd, digest);
	if (ret)
		return why_set(why, ret, "cannot read %s: %s", entry->relink_path,
			       strerror(-ret));
	if (!strcmp(digest, entry->relinked.sha256))
		return 0;
	return why_set(why, -ESTALE,
		       "%s has other bytes than were preserved: its SHA-256 is %s",
		       entry->relink_path, digest);
}

int restore_open_name(const struct manifest *manifest, const struct manifest_entry *entry,
		      char **why)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	struct relink_identity identity = clean_identity(manifest, entry);
	AUTO_FD fd = -1;
	int ret = locate_entry(manifest, entry, entry->relink_path, &located, why);

	if (ret)
		return ret;
	fd = relink_open(located.root_fd, located.path, &identity, why);
	if (fd < 0)
		return TAKE_FD(fd);
	ret = check_size(entry, fd, why);
	ret = ret ?: check_digest(entry, fd, why);
	return ret ?: TAKE_FD(fd);
}

int restore_open_entry(const struct manifest *manifest,
		       const struct manifest_entry *entry, char **why)
{
	AUTO_FD fd = -1;

	if (entry->method == METHOD_RECREATE)
		return recreate(manifest, entry, why);
	fd = restore_open_name(manifest, entry, why);
	if (fd < 0 || !tmpfile_is_wanted(entry))
		return TAKE_FD(fd);
	return tmpfile_make(manifest, entry, fd, why);
}

/* A mount is its namespace's, and no process of it had the file. */
static bool is_wanted(const struct restore *restore, const struct holder *holder)
{
	return !restore->holder ||
	       (holder->pid == restore->holder && holder->kind != RT_HOLDER_MOUNT);
}

/* The number that @holder's fd gets: its own with a holder, else the next in the order of
 * sd_listen_fds. A thread's own table may have the same numbers as the leader's. */
static int wanted_number(const struct restore *restore, const struct holder *holder)
{
	if (!restore->holder)
		return LISTEN_FIRST + restore->plan.n;
	return holder && holder->kind == RT_HOLDER_FD && !holder->tid ? holder->fd : -1;
}

/* Adds @fd, which is the plan's from then on, also on failure. */
static int add_file(struct restore *restore, int fd, const struct manifest_entry *entry,
		    const struct holder *holder)
{
	size_t n = restore->plan.n;
	struct restore_file *files = list_grow(restore->files, n, sizeof(*files));
	AUTO_FD own = fd;

	if (!files)
		return -ENOMEM;
	restore->files = files;
	files[n] = (struct restore_file){entry, holder};
	return fdplan_add(&restore->plan, TAKE_FD(own), wanted_number(restore, holder),
			  entry->n);
}

/* The plan's item that has the description of @orphan's holder @i already, or -1. @items
 * has the item of each earlier holder, -1 for none: the numbers of a thread's own table
 * would not tell. */
static ssize_t find_shared(const struct orphan *orphan, size_t i, const ssize_t *items)
{
	if (!orphan->holders[i].ofd)
		return -1;
	for (size_t j = 0; j < i; j++)
		if (items[j] >= 0 && orphan->holders[j].ofd == orphan->holders[i].ofd)
			return items[j];
	return -1;
}

/* Opens the file behind @path_fd as @holder had it: through its mount too. Where that was
 * writable then and is not now, the other one has to do. */
static int reopen_as(struct restore *restore, const struct manifest_entry *entry,
		     int path_fd, const struct holder *holder)
{
	AUTO_FD via = via_open(restore->manifest, entry, holder, path_fd);
	int fd = -EROFS;

	if (via >= 0)
		fd = reopen(via, entry->orphan.mode, holder->flags, holder->pos);
	if (via >= 0 && fd == -EROFS)
		log_warning("orphan%u: fd %d of process %d comes back through another "
			    "mount, as its own at %s is read-only by now",
			    entry->n, holder->fd, holder->pid, holder->via.point);
	return fd == -EROFS
		       ? reopen(path_fd, entry->orphan.mode, holder->flags, holder->pos)
		       : fd;
}

/* One fd of the old process, holder @i of @entry. Without a holder to be followed a
 * description is handed over once, whoever shared it. */
static int add_fd(struct restore *restore, const struct manifest_entry *entry,
		  int path_fd, size_t i, ssize_t *items, char **why)
{
	const struct holder *holder = &entry->orphan.holders[i];
	ssize_t shared = find_shared(&entry->orphan, i, items);
	int fd;

	if (shared >= 0 && !restore->holder)
		return 0;
	if (shared >= 0) {
		fd = fcntl(restore->plan.items[shared].fd, F_DUPFD_CLOEXEC, 0);
		fd = fd < 0 ? -errno : fd;
	} else {
		fd = reopen_as(restore, entry, path_fd, holder);
	}
	if (fd < 0)
		return why_set(why, fd, "cannot open it as fd %d was: %s", holder->fd,
			       strerror(-fd));
	if (shared < 0) {
		relock_description(fd, entry, holder);
		tell_flags(fd, entry, holder);
	}
	items[i] = restore->plan.n;
	return add_file(restore, fd, entry, holder);
}

/* Whether somebody who is to be restored executed it. */
static bool is_executable(const struct restore *restore,
			  const struct manifest_entry *entry)
{
	for (size_t i = 0; i < entry->orphan.n_holders; i++)
		if (entry->orphan.holders[i].kind == RT_HOLDER_EXE &&
		    is_wanted(restore, &entry->orphan.holders[i]))
			return true;
	return false;
}

/* The first who is to be restored; NULL. */
static const struct holder *first_wanted(const struct restore *restore,
					 const struct manifest_entry *entry)
{
	for (size_t i = 0; i < entry->orphan.n_holders; i++)
		if (is_wanted(restore, &entry->orphan.holders[i]))
			return &entry->orphan.holders[i];
	return NULL;
}

/* What no fd held (a mapping, an executable, a directory) still gets one, so that the
 * program can map, execute or enter it again. */
static int add_without_holder(struct restore *restore, const struct manifest_entry *entry,
			      int path_fd, char **why)
{
	const struct holder *holder = first_wanted(restore, entry);
	AUTO_FD via = holder ? via_open(restore->manifest, entry, holder, path_fd) : -1;
	int fd;

	if (via >= 0)
		path_fd = via;
	/* What is open for writing cannot be executed (ETXTBSY). */
	fd = is_executable(restore, entry)
		     ? reopen(path_fd, entry->orphan.mode, O_RDONLY, 0)
		     : reopen_plain(path_fd, entry->orphan.mode);

	if (fd < 0)
		return why_set(why, fd, "cannot open it: %s", strerror(-fd));
	return add_file(restore, fd, entry, NULL);
}

static int add_cwd(struct restore *restore, const struct manifest_entry *entry,
		   int path_fd, const struct holder *holder, char **why)
{
	auto_close(&restore->cwd_fd);
	restore->cwd_fd = via_open(restore->manifest, entry, holder, path_fd);
	if (restore->cwd_fd < 0)
		restore->cwd_fd = fcntl(path_fd, F_DUPFD_CLOEXEC, 0);
	if (restore->cwd_fd < 0)
		return why_set(why, -errno, "cannot keep the directory: %s",
			       strerror(errno));
	return 0;
}

static int add_holders(struct restore *restore, const struct manifest_entry *entry,
		       int path_fd, char **why)
{
	AUTO_FREE ssize_t *items = calloc(entry->orphan.n_holders + 1, sizeof(*items));
	size_t first = restore->plan.n;
	int ret = items ? 0 : -ENOMEM;
	bool opened;

	for (size_t i = 0; i < entry->orphan.n_holders && !ret; i++) {
		const struct holder *holder = &entry->orphan.holders[i];

		items[i] = -1;
		if (!is_wanted(restore, holder))
			continue;
		/* What was in flight, or with a ring, is an open description too. */
		if (holder->kind == RT_HOLDER_FD || holder_is_behind(holder->kind))
			ret = add_fd(restore, entry, path_fd, i, items, why);
		else if (holder->kind == RT_HOLDER_CWD && restore->holder && !holder->tid)
			ret = add_cwd(restore, entry, path_fd, holder, why);
	}
	opened = restore->plan.n > first;
	if (!ret && !opened)
		ret = add_without_holder(restore, entry, path_fd, why);
	if (!ret)
		tell_unlike(entry, restore->holder, opened);
	return ret;
}

bool restore_is_of(const struct manifest_entry *entry, pid_t holder)
{
	for (size_t i = 0; i < entry->orphan.n_holders && holder; i++)
		if (entry->orphan.holders[i].pid == holder)
			return true;
	return !holder;
}

static int add_entry(struct restore *restore, const struct manifest_entry *entry,
		     char **why)
{
	AUTO_FREE char *reason = NULL;
	AUTO_FD fd =
		nest_has(restore->manifest, entry)
			? nest_open(&restore->nest, restore->manifest, entry, &reason)
			: restore_open_entry(restore->manifest, entry, &reason);
	AUTO_FD keeper = -1;
	int ret = fd < 0 ? fd : 0;

	if (!ret)
		nest_tell_lost(restore->manifest, entry);
	if (!ret && entry->pipe.known) {
		keeper = fifo_write(fd, &entry->pipe);
		if (keeper < 0)
			ret = why_set(&reason, keeper,
				      "cannot put back what was in the FIFO: %s",
				      strerror(-keeper));
	}
	ret = ret ?: add_holders(restore, entry, fd, &reason);

	ret = ret ?: seals_add(&restore->seals, fd, entry);
	return ret < 0 ? why_set(why, ret, "orphan%u: %s%s", entry->n, why_text(reason),
				 advice(ret))
		       : 0;
}

static int open_all(struct restore *restore, const struct manifest *manifest,
		    pid_t holder, char **why)
{
	bool found = !holder;
	int ret = 0;

	restore->manifest = manifest;
	restore->holder = holder;
	progress_begin(refill_bytes(manifest, holder, tmpfile_is_wanted), PROGRESS_MS);
	for (size_t i = 0; i < manifest->n_entries && !ret; i++) {
		if (!restore_is_of(&manifest->entries[i], holder))
			continue;
		found = true;
		ret = add_entry(restore, &manifest->entries[i], why);
	}
	progress_end();
	if (ret)
		return ret;
	if (!found)
		return why_set(why, -ESRCH, "no process %d is among the holders", holder);
	return 0;
}

int restore_open_files(struct restore *restore, const struct manifest *manifest,
		       pid_t holder, char **why)
{
	int ret = open_all(restore, manifest, holder, why);

	for (size_t i = 0; i < manifest->n_entries && !ret; i++) {
		relock_report(&manifest->entries[i], holder);
		reown_report(&manifest->entries[i], holder);
	}
	return ret;
}

int restore_open(struct restore *restore, const struct manifest *manifest, pid_t holder,
		 char **why)
{
	int ret = open_all(restore, manifest, holder, why);

	if (ret)
		return ret;
	ret = fdplan_prepare(&restore->plan);
	if (ret)
		return why_set(why, ret, "the fds cannot be put at their numbers: %s%s",
			       strerror(-ret), advice(ret));
	return 0;
}

size_t restore_unlink(const struct manifest *manifest, pid_t holder)
{
	struct clean_result result = {0};

	clean_held(manifest, holder, &result);
	/* Below other roots there are copies of the names: those stay here. */
	if (!holder && !manifest->roots && !result.left)
		index_remove(manifest->id);
	return result.left;
}

size_t restore_unlink_names(const struct restore *restore)
{
	size_t left = restore_unlink(restore->manifest, restore->holder);

	seals_set(&restore->seals);
	return left;
}

/* "orphan1=3 orphan2=4" or, for sd_listen_fds, "orphan1:orphan2". Owned by the caller. */
static char *list_fds(const struct fdplan *plan, bool names_only)
{
	AUTO_FREE char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < plan->n; i++)
		if (names_only)
			fprintf(out, "%sorphan%u", i ? ":" : "", plan->items[i].n);
		else
			fprintf(out, "%sorphan%u=%d", i ? " " : "", plan->items[i].n,
				plan->items[i].wanted);
	return fclose(out) ? NULL : TAKE_PTR(text);
}

static int set_number(const char *name, unsigned long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", value);
	return setenv(name, text, 1) ? -errno : 0;
}

static int set_environment(const struct restore *restore)
{
	AUTO_FREE char *fds = list_fds(&restore->plan, false);
	AUTO_FREE char *names = list_fds(&restore->plan, true);
	int ret;

	if (!fds || !names)
		return -ENOMEM;
	/* Those of our own caller are not for the program. */
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	if (setenv("RELINKTRACE_ORPHANS", fds, 1))
		return -errno;
	if (restore->holder || !restore->plan.n)
		return 0;
	ret = set_number("LISTEN_FDS", restore->plan.n);
	ret = ret ?: set_number("LISTEN_PID", getpid());
	return ret ?: setenv("LISTEN_FDNAMES", names, 1) ? -errno : 0;
}

/* One more than the highest fd that the program is given. */
static size_t fds_used(const struct fdplan *plan)
{
	size_t used = 0;

	for (size_t i = 0; i < plan->n; i++)
		if ((size_t)plan->items[i].wanted >= used)
			used = plan->items[i].wanted + 1;
	return used;
}

int restore_execute(struct restore *restore, const char *path, char **argv)
{
	int ret = set_environment(restore);

	if (ret)
		return ret;
	if (restore->cwd_fd >= 0 && fchdir(restore->cwd_fd))
		return -errno;
	ret = fdplan_place(&restore->plan);
	if (ret)
		return ret;
	/* Closing any fd of a file lets go of a process's own locks on it. */
	fdplan_close(&restore->plan);
	for (size_t i = 0; i < restore->plan.n; i++)
		if (restore->files[i].holder) {
			relock_process(restore->plan.items[i].wanted,
				       restore->files[i].entry, restore->files[i].holder,
				       !restore->holder);
			reown_description(restore->plan.items[i].wanted,
					  restore->files[i].entry,
					  restore->files[i].holder);
		}
	openfiles_reset(fds_used(&restore->plan));
	execv(path, argv);
	return -errno;
}

/* Opening for reading is what every way of restoring begins with. */
static int check_readable(int path_fd, const struct manifest_entry *entry, char **why)
{
	AUTO_FD fd = -1;

	if (!S_ISREG(entry->orphan.mode))
		return 0;
	fd = reopen(path_fd, entry->orphan.mode, O_RDONLY, 0);
	if (fd < 0)
		return why_set(why, fd, "%s cannot be read: %s", entry->relink_path,
			       strerror(-fd));
	return 0;
}

int restore_check_entry(const struct manifest *manifest,
			const struct manifest_entry *entry, char **why)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	AUTO_FD fd = -1;

	/* What is made again needs its mount, and nothing else. */
	if (entry->method == METHOD_RECREATE)
		return locate_entry(manifest, entry, "", &located, why);
	fd = restore_open_name(manifest, entry, why);
	return fd < 0 ? fd : check_readable(fd, entry, why);
}
