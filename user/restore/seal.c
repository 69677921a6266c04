/* SPDX-License-Identifier: GPL-2.0-only */
#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/log.h"
#include "preserve/carry.h"

void seals_fini(struct seals *seals)
{
	for (size_t i = 0; i < seals->n; i++)
		auto_close(&seals->seals[i].fd);
	free(seals->seals);
	*seals = (struct seals){0};
}

int seals_add(struct seals *seals, int fd, const struct manifest_entry *entry)
{
	AUTO_FD own = -1;
	struct seal *grown;

	if (entry->same_inode || !entry->has_attributes ||
	    !carry_is_sealed(&entry->attributes))
		return 0;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return -errno;
	grown = reallocarray(seals->seals, seals->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	seals->seals = grown;
	grown[seals->n++] = (struct seal){TAKE_FD(own), entry};
	return 0;
}

void seals_set(const struct seals *seals)
{
	for (size_t i = 0; i < seals->n; i++) {
		const struct seal *seal = &seals->seals[i];
		int ret = carry_seal(seal->fd, &seal->entry->attributes);

		if (ret)
			log_warning("orphan%u was immutable or append-only, and is not "
				    "any more: %s%s",
				    seal->entry->n, strerror(-ret),
				    caps_refused(ret, CAPS_COPY_FLAGS));
	}
}
