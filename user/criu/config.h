/* SPDX-License-Identifier: GPL-2.0-only */
/* CRIU's options in a configuration file, for a dump that somebody else starts: runc reads
 * /etc/criu/runc.conf, or what the annotation org.criu.config of the container names.
 * Whatever else is in the file stays. */
#ifndef RELINKTRACE_CRIU_CONFIG_H
#define RELINKTRACE_CRIU_CONFIG_H

#include "keys.h"

/* Adds the options with which a dump leaves @keys out to the file @path, which is made
 * (mode 0644) where it is missing, in place of what an earlier call added for the same
 * checkpoint, and for @instead (NULL none). 0; -errno and the reason in @why: the file is as it was. */
int criu_config_add(const char *path, const struct criu_keys *keys, const char *instead,
		    char **why);

/* Removes from @path what criu_config_add() added for checkpoint @id, and the file when it
 * is empty then. 0, also when there is nothing of it; -errno and the reason in @why. */
int criu_config_remove(const char *path, const char *id, char **why);

/* @text (owned by the caller) without the block of checkpoint @id. NULL when memory is out.
 * Pure. */
char *criu_config_without(const char *text, const char *id);

#endif
