/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "handle.h"
#include "opened.h"
#include "restore/guard.h"
#include "restore/program.h"
#include "restore/restore.h"

#include <errno.h>
#include <string.h>

static void remove_names(void *restore)
{
	restore_unlink_names(restore);
}

static int execute(const struct relinktrace_restore *wish, int keep, char *const *argv)
{
	AUTO(opened_fini) struct opened opened = {0};
	AUTO(restore_fini) struct restore restore = RESTORE_INIT;
	AUTO_FREE char *why = NULL, *path = NULL;
	int ret = opened_read(&opened, wish);

	if (ret)
		return ret;
	ret = program_find(argv[0], &path);
	if (ret) {
		log_error("%s: %s; nothing was restored", argv[0], strerror(-ret));
		return ret;
	}
	ret = restore_open(&restore, &opened.manifest, opened.wish.holder, &why);
	if (ret) {
		log_error("%s", why_text(why));
		return ret;
	}
	/* Where nobody may trace us, before an exec that may fail. */
	if (!keep && guard_exec(remove_names, &restore))
		remove_names(&restore);
	ret = restore_execute(&restore, path, (char **)argv);
	log_error("%s: %s", path, strerror(-ret));
	return ret;
}

int relinktrace_execute(struct relinktrace *rt, const struct relinktrace_restore *wish,
			int keep, char *const argv[])
{
	handle_enter(rt);
	return handle_leave(rt, execute(wish, keep, argv));
}
