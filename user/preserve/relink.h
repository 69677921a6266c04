/* SPDX-License-Identifier: GPL-2.0-only */
/* Relink names: making them, and removing exactly what was made. */
#ifndef RELINKTRACE_RELINK_H
#define RELINKTRACE_RELINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* What tells the file behind a relink name from another that was put there. The device
 * is not part of it: the mount is verified before, and no path leaves it. */
struct relink_identity {
	uint32_t type; /* of S_IFMT */
	uint64_t ino;  /* st_ino */
	bool has_generation;
	uint32_t generation;
	/* With a moved filesystem the two above are another's, and what the file is like
	 * has to do. */
	bool moved;
	bool in_use;   /* moved, and written to since: no size and no time */
	bool movable;  /* perhaps so: it is in a store, which may have been copied */
	uint32_t mode; /* permissions */
	uint32_t uid, gid;
	uint64_t size;
	bool has_mtime;
	struct timespec mtime;
};

struct manifest_entry;

/* The identity of the file behind the relink name of @entry, on the filesystem where it was
 * made. */
struct relink_identity relink_identity_of(const struct manifest_entry *entry);

/* Length of the first folder of @path that is longer than @from bytes: for "a/b/c" from 0
 * 1, from 1 3, then 0. */
size_t relink_next_folder(const char *path, size_t from);

/* Whether @path below @root_fd is a folder that names can be made in: nobody but root and
 * us may take them away. 0; -ENOENT there is none, without a reason; -ELOOP and -ENOTDIR a
 * symbolic link or another file; -EXDEV a mount point; -EPERM somebody else's; -errno; and
 * the reason in @why. */
int relink_check_folder(int root_fd, const char *path, char **why);

/* Opens (O_PATH) the folder that @relink_path is to be made in and sets *@name to the last
 * component, inside @relink_path. Whoever is root in the container may swap folders at any
 * time, so each is opened in the one before, and what was opened is what is judged: it
 * belongs to root or to us; others may write to none, but to those with the sticky bit
 * that are not the last; and at least one is closed to them, so that the names cannot be
 * reached, guessed or planted by anybody else. At the end the path still leads there. The
 * fd, owned by the caller; -ESTALE it does not; -errno as relink_check_folder(); and the
 * reason with what to do in @why. */
int relink_open_folder(int root_fd, const char *relink_path, const char **name,
		       char **why);

/* Whether @path below @root_fd is a name of the file of @st, of which the caller holds an fd,
 * so that no other can have its number. 0; -ENOENT no such name; -ESTALE another file;
 * -errno. */
int relink_leads_to(int root_fd, const char *path, const struct stat *st);

/* Gives the file behind O_PATH fd @fd, whose stat is @st, the name @name in @dir_fd and
 * verifies that it has it (through /proc/self/fd: AT_EMPTY_PATH needs
 * CAP_DAC_READ_SEARCH before 6.10, linkat(2)). 0; -EEXIST; -ENOENT for nlink 0 (since
 * 2.6.39, fs/namei.c, vfs_link); -EXDEV; -ESTALE; -errno. What the kernel says to have failed
 * counts as made where the name is there; where it is not seen, but may be, *@doubt is set. */
int relink_link(int fd, const struct stat *st, int dir_fd, const char *name, bool *doubt);

/* Compares the file behind @fd with @identity, its digest excepted. 0; -ESTALE another
 * one, with what differs in @why; -errno. */
int relink_check(int fd, const struct relink_identity *identity, char **why);

/* Opens (O_PATH) what has the name @path below @root_fd and compares it with @identity.
 * The fd, owned by the caller; -ENOENT no such name; -ESTALE another file; -errno; and
 * the reason in @why. */
int relink_open(int root_fd, const char *path, const struct relink_identity *identity,
		char **why);

/* Removes name @path below @root_fd where it is the file of @identity. 0; -ENOENT,
 * -ESTALE, -errno as relink_open(). */
int relink_remove(int root_fd, const char *path, const struct relink_identity *identity,
		  char **why);

/* Removes folder @path below @root_fd where it has inode number @ino (0: any, as with a
 * moved filesystem). 0; -ENOENT no such
 * name; -ENOTEMPTY; -ESTALE another one; -errno. */
int relink_remove_folder(int root_fd, const char *path, uint64_t ino);

#endif
