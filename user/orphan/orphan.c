// SPDX-License-Identifier: GPL-2.0-only
#include "orphan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/list.h"

const char *backend_name(enum backend backend)
{
	switch (backend) {
	case BACKEND_FENTRY:
		return "fentry";
	case BACKEND_KPROBE:
		return "kprobe";
	case BACKEND_TP_BTF:
		return "tp_btf";
	case BACKEND_NONE:
		break;
	}
	return "none";
}

bool backend_is_exact(enum backend backend)
{
	return backend == BACKEND_FENTRY || backend == BACKEND_KPROBE;
}

const char *holder_kind_name(enum rt_holder_kind kind)
{
	switch (kind) {
	case RT_HOLDER_FD:
		return "fd";
	case RT_HOLDER_MAP:
		return "map";
	case RT_HOLDER_EXE:
		return "exe";
	case RT_HOLDER_CWD:
		return "cwd";
	case RT_HOLDER_ROOT:
		return "root";
	case RT_HOLDER_FLIGHT:
		return "flight";
	case RT_HOLDER_URING:
		return "uring";
	case RT_HOLDER_LOOP:
		return "loop";
	case RT_HOLDER_MOUNT:
		return "mount";
	}
	return "unknown";
}

const char *orphan_type_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "regular";
	case S_IFDIR:
		return "directory";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "chr";
	case S_IFBLK:
		return "blk";
	case S_IFLNK:
		return "symlink";
	}
	return "unknown";
}

void orphan_fill_stat(struct orphan *orphan, const struct statx *stx)
{
	orphan->mode = stx->stx_mode;
	orphan->nlink = stx->stx_nlink;
	orphan->uid = stx->stx_uid;
	orphan->gid = stx->stx_gid;
	orphan->rdev_major = stx->stx_rdev_major;
	orphan->rdev_minor = stx->stx_rdev_minor;
	orphan->size = stx->stx_size;
	orphan->allocated = stx->stx_blocks * 512;
}

void holder_fini(struct holder *holder)
{
	if (holder->kind == RT_HOLDER_MOUNT)
		free(holder->mnt_point);
	free(holder->via.point);
	free(holder->via.root);
	*holder = (struct holder){.fd = -1};
}

void orphan_fini(struct orphan *orphan)
{
	free(orphan->path);
	free(orphan->mnt_point);
	free(orphan->cgroup);
	for (size_t i = 0; i < orphan->n_holders; i++)
		holder_fini(&orphan->holders[i]);
	free(orphan->holders);
	free(orphan->keys);
	*orphan = (struct orphan){.mnt_id = -1};
}

void orphan_set_init(struct orphan_set *set)
{
	*set = (struct orphan_set){.complete = true};
}

void orphan_set_fini(struct orphan_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		orphan_fini(&set->orphans[i]);
	free(set->orphans);
	free(set->index);
	orphan_set_init(set);
}

/* Where in the index the key is, or belongs. */
static size_t index_slot(const struct orphan_set *set, uint32_t dev_major,
			 uint32_t dev_minor, uint64_t ino, uint64_t inode)
{
	/* Fibonacci hashing: inode numbers are often consecutive. */
	uint64_t key = (ino ^ ((uint64_t)dev_major << 52) ^ ((uint64_t)dev_minor << 32)) *
		       0x9e3779b97f4a7c15ULL;
	size_t slot = (key >> 32) & (set->index_size - 1);

	for (; set->index[slot]; slot = (slot + 1) & (set->index_size - 1)) {
		const struct orphan *orphan = &set->orphans[set->index[slot] - 1];

		if (orphan->ino == ino && orphan->dev_major == dev_major &&
		    orphan->dev_minor == dev_minor &&
		    (!inode || !orphan->inode || orphan->inode == inode))
			break;
	}
	return slot;
}

/* Fills the index, which is all zeroes, from the orphans that are there. */
static void index_fill(struct orphan_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct orphan *o = &set->orphans[i];

		set->index[index_slot(set, o->dev_major, o->dev_minor, o->ino,
				      o->inode)] = i + 1;
	}
}

/* Room for one more orphan; the index stays at most half full. */
static int orphan_set_grow(struct orphan_set *set)
{
	size_t room = set->index_size / 2;
	struct orphan *orphans;
	uint32_t *index;

	if (set->n < room)
		return 0;
	room = room ? room * 2 : 16;
	orphans = reallocarray(set->orphans, room, sizeof(*orphans));
	if (!orphans)
		return -ENOMEM;
	set->orphans = orphans;
	index = calloc(room * 2, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(set->index);
	set->index = index;
	set->index_size = room * 2;
	index_fill(set);
	return 0;
}

struct orphan *orphan_set_at(struct orphan_set *set, uint32_t dev_major,
			     uint32_t dev_minor, uint64_t ino)
{
	return orphan_set_at_inode(set, dev_major, dev_minor, ino, 0);
}

struct orphan *orphan_set_at_inode(struct orphan_set *set, uint32_t dev_major,
				   uint32_t dev_minor, uint64_t ino, uint64_t inode)
{
	struct orphan *orphan;
	size_t slot;

	if (orphan_set_grow(set))
		return NULL;
	slot = index_slot(set, dev_major, dev_minor, ino, inode);
	if (set->index[slot]) {
		orphan = &set->orphans[set->index[slot] - 1];
		if (!orphan->inode)
			orphan->inode = inode;
		return orphan;
	}
	orphan = &set->orphans[set->n++];
	*orphan = (struct orphan){.dev_major = dev_major,
				  .dev_minor = dev_minor,
				  .ino = ino,
				  .inode = inode,
				  .mnt_id = -1};
	set->index[slot] = set->n;
	return orphan;
}

struct orphan *orphan_set_find_inode(const struct orphan_set *set, uint32_t dev_major,
				     uint32_t dev_minor, uint64_t ino, uint64_t inode)
{
	size_t slot;

	if (!set->n)
		return NULL;
	slot = index_slot(set, dev_major, dev_minor, ino, inode);
	return set->index[slot] ? &set->orphans[set->index[slot] - 1] : NULL;
}

/* After orphans have changed places. */
static void index_refill(struct orphan_set *set)
{
	memset(set->index, 0, set->index_size * sizeof(*set->index));
	index_fill(set);
}

void orphan_set_keep(struct orphan_set *set,
		     bool (*wanted)(const struct orphan *orphan, const void *data),
		     const void *data)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct orphan *orphan = &set->orphans[i];

		if (wanted(orphan, data))
			set->orphans[kept++] = *orphan;
		else
			orphan_fini(orphan);
	}
	set->n = kept;
	if (set->index)
		index_refill(set);
}

static bool is_held(const struct orphan *orphan, const void *data)
{
	(void)data;
	return orphan->n_holders || orphan->unattributed;
}

void orphan_set_prune(struct orphan_set *set)
{
	orphan_set_keep(set, is_held, NULL);
}

int orphan_add_key(struct orphan *orphan, uint64_t key)
{
	uint64_t *keys;

	for (size_t i = 0; i < orphan->n_keys; i++)
		if (orphan->keys[i] == key)
			return 0;
	keys = reallocarray(orphan->keys, orphan->n_keys + 1, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	orphan->keys = keys;
	keys[orphan->n_keys++] = key;
	return 0;
}

const struct holder *orphan_first_linked(const struct orphan *orphan)
{
	for (size_t i = 0; i < orphan->n_holders; i++)
		if (holder_has_link(orphan->holders[i].kind))
			return &orphan->holders[i];
	return NULL;
}

uint64_t orphan_bytes(const struct orphan *orphan)
{
	if (!S_ISREG(orphan->mode))
		return 0;
	return orphan->size < orphan->allocated ? orphan->size : orphan->allocated;
}

static bool is_fd(const struct holder *holder, pid_t pid, pid_t tid, int fd)
{
	return holder->kind == RT_HOLDER_FD && holder->pid == pid && holder->tid == tid &&
	       holder->fd == fd;
}

bool orphan_shares_fd(const struct orphan *orphan, pid_t pid, pid_t tid, int fd,
		      const struct holder *holder)
{
	if (is_fd(holder, pid, tid, fd))
		return true;
	if (!holder->ofd || holder->kind != RT_HOLDER_FD)
		return false;
	for (size_t i = 0; i < orphan->n_holders; i++)
		if (is_fd(&orphan->holders[i], pid, tid, fd))
			return orphan->holders[i].ofd == holder->ofd;
	return false;
}

void holder_proc_link(const struct holder *holder, char *path, size_t size)
{
	char task[48];

	if (holder->tid)
		snprintf(task, sizeof(task), "/proc/%d/task/%d", holder->pid,
			 holder->tid);
	else
		snprintf(task, sizeof(task), "/proc/%d", holder->pid);
	if (holder->kind == RT_HOLDER_FD)
		snprintf(path, size, "%s/fd/%d", task, holder->fd);
	else if (holder->kind == RT_HOLDER_MAP)
		snprintf(path, size, "/proc/%d/map_files/%lx-%lx", holder->pid,
			 (unsigned long)holder->map_start,
			 (unsigned long)holder->map_end);
	else
		snprintf(path, size, "%s/%s", task, holder_kind_name(holder->kind));
}

void holder_device(const struct holder *holder, char *path, size_t size)
{
	snprintf(path, size, "/dev/loop%llu", (unsigned long long)holder->loop);
}

int orphan_add_holder(struct orphan *orphan, const struct holder *holder)
{
	struct holder *grown =
		list_grow(orphan->holders, orphan->n_holders, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	orphan->holders = grown;
	grown[orphan->n_holders++] = *holder;
	return 0;
}

#define COMPARE(a, b)                                                                    \
	do {                                                                             \
		if ((a) != (b))                                                          \
			return (a) < (b) ? -1 : 1;                                       \
	} while (0)

static int orphan_compare(const void *left, const void *right)
{
	const struct orphan *a = left, *b = right;

	COMPARE(a->dev_major, b->dev_major);
	COMPARE(a->dev_minor, b->dev_minor);
	COMPARE(a->ino, b->ino);
	COMPARE(a->inode, b->inode);
	return 0;
}

static int holder_compare(const void *left, const void *right)
{
	const struct holder *a = left, *b = right;

	COMPARE(a->pid, b->pid);
	COMPARE(a->tid, b->tid);
	COMPARE(a->kind, b->kind);
	COMPARE(a->fd, b->fd);
	COMPARE(a->map_start, b->map_start);
	return 0;
}

struct ofd_place {
	uint64_t ofd;
	size_t place; /* among the holders */
};

static int ofd_compare(const void *left, const void *right)
{
	const struct ofd_place *a = left, *b = right;

	COMPARE(a->ofd, b->ofd);
	COMPARE(a->place, b->place);
	return 0;
}

/* Replaces addresses, or whatever told descriptions apart, by numbers from *@next on, in
 * the order of the holders: a description is of one inode, so that only this orphan's own
 * holders can share it. Without memory they are unknown. */
static void orphan_number_ofds(struct orphan *orphan, uint64_t *next)
{
	size_t n = orphan->n_holders;
	struct ofd_place *sorted = malloc(n * sizeof(*sorted));
	size_t *first = malloc(n * sizeof(*first)); /* place of the first that shares */

	for (size_t i = 0; i < n && sorted && first; i++)
		sorted[i] = (struct ofd_place){orphan->holders[i].ofd, i};
	if (sorted && first)
		qsort(sorted, n, sizeof(*sorted), ofd_compare);
	for (size_t i = 0; i < n && sorted && first; i++)
		first[sorted[i].place] = i && sorted[i].ofd == sorted[i - 1].ofd
						 ? first[sorted[i - 1].place]
						 : sorted[i].place;
	for (size_t i = 0; i < n; i++) {
		struct holder *holder = &orphan->holders[i];

		if (!sorted || !first || !holder->ofd)
			holder->ofd = 0;
		else
			holder->ofd =
				first[i] == i ? (*next)++ : orphan->holders[first[i]].ofd;
	}
	free(sorted);
	free(first);
}

void orphan_set_sort(struct orphan_set *set)
{
	uint64_t next = 1;

	if (!set->n)
		return;
	qsort(set->orphans, set->n, sizeof(*set->orphans), orphan_compare);
	for (size_t i = 0; i < set->n; i++) {
		struct orphan *orphan = &set->orphans[i];

		if (orphan->n_holders)
			qsort(orphan->holders, orphan->n_holders,
			      sizeof(*orphan->holders), holder_compare);
		orphan_number_ofds(orphan, &next);
	}
	index_refill(set);
}
