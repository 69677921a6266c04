/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a container travels with its checkpoint by itself: its root, of which a runtime
 * archives what was written, the tmpfs mounts of its own, whose contents CRIU dumps
 * (criu/filesystems.c, tmpfs_dump), and the /dev/shm that podman made for it alone, which it
 * exports (libpod, exportCheckpoint). A bind mount is none of these: volumes, a pod's
 * /dev/shm. */
#ifndef RELINKTRACE_CARRIED_H
#define RELINKTRACE_CARRIED_H

#include <stdbool.h>

#include "depot.h"

struct carried_facts {
	bool container;	   /* its mount namespace is not the machine's own */
	const char *point; /* of the mount, as a holder sees it; NULL in nobody's sight */
	const char *fstype; /* NULL unknown */
	bool outside;	    /* its filesystem is mounted outside of the container, too */
	bool exported;	    /* and it is what podman exports */
};

/* Whether what is on the mount travels with the checkpoint. Pure. */
bool carried(const struct carried_facts *facts);

/* Whether the filesystem of @orphan is mounted outside of its container too: the first
 * process sees what the machine has mounted, and we what a runtime beside us has. 0 and
 * *@out; -errno. */
int carried_outside(const struct orphan *orphan, bool *out);

/* Whether @point, outside of a container, is where podman has mounted the /dev/shm of
 * container @id: a pod's is below the id of another one. Pure. */
bool carried_is_shm(const char *point, const char *id);

/* Adds to @mounts the mounts of @set that do not travel with a checkpoint by themselves, and
 * only these are meant from then on; a mount of which that cannot be found out is one of
 * them. 0; -ENOMEM. */
int carried_find(const struct orphan_set *set, struct depot_mounts *mounts);

#endif
