/* SPDX-License-Identifier: GPL-2.0-only */
/* What CRIU's images say of files that it gave a name for the time of the dump
 * (--link-remap): "link_remap.N" in the folder that the file was opened in. With
 * --leave-running CRIU removes these names when the dump is over, and a restore needs them
 * (criu/files-reg.c, create_link_remap and delete_link_remaps). */
#ifndef RELINKTRACE_CRIU_IMAGES_H
#define RELINKTRACE_CRIU_IMAGES_H

#include <stddef.h>
#include <stdint.h>

/* Limits of the parser. */
#define CRIU_IMAGE_MAX_BYTES (256U << 20)
#define CRIU_REMAPS_MAX	     (1U << 20)

struct criu_remap {
	char *name; /* owned; of the link, below the root of the dumped tree, without a '/'
		      * before it */
	char *path;    /* owned; what the file was opened by, likewise */
	uint64_t size; /* of the file at the dump, bytes; 0 unknown */
};

struct criu_remaps {
	struct criu_remap *remaps; /* owned */
	size_t n;
};

/* The image that has them. CRIU writes none where there are none (criu/image.c, lazy). */
#define CRIU_REMAPS "remap-fpath.img"

/* Frees what @remaps owns; for AUTO(). */
void criu_remaps_fini(struct criu_remaps *remaps);

/* Reads the images files.img and remap-fpath.img in @files and @links (criu 3.3 and later:
 * two magic numbers of 32 bits, then messages of protobuf, each with its length in 32 bits
 * before it). 0 and @out filled, owned by the caller; -EINVAL with the fault in @why;
 * -ENOMEM. Pure. */
int criu_images_parse(const void *files, size_t files_len, const void *links,
		      size_t links_len, struct criu_remaps *out, char **why);

/* The same of the folder @images; none where CRIU has written no remap-fpath.img. 0;
 * -ENOENT there are no images; -errno; and the reason in @why. */
int criu_images_remaps(const char *images, struct criu_remaps *out, char **why);

#endif
