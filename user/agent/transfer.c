/* SPDX-License-Identifier: GPL-2.0-only */
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/readall.h"
#include "base/trusted.h"
#include "base/why.h"
#include "criu/handover.h"
#include "journal/index.h"
#include "manifest/manifest_file.h"
#include "placing.h"

static int open_directory(const char *path, char **why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? why_set(why, -errno, "cannot open %s: %m", path) : fd;
}

/* Reads file @name in @from, which nobody but root and we can have written. 0; -ENOENT;
 * -errno, and the reason in @why where that does not say it. */
static int read_trusted(int from, const char *name, size_t max, char **text, size_t *len,
			char **why)
{
	AUTO_FD fd = openat(from, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	int ret = fd < 0 ? -errno : trusted_check(fd, "file", name, why);

	return ret ?: readall(fd, max, text, len);
}

/* Copies file @name of @from to @to. 0; -ENOENT; -errno. */
static int copy(int from, int to, const char *name, size_t max, char **why)
{
	AUTO_FREE char *text = NULL;
	size_t len;
	int ret = read_trusted(from, name, max, &text, &len, why);

	ret = ret ?: placing_bytes(to, name, text, len);
	return ret && (!why || !*why)
		       ? why_set(why, ret, "cannot copy %s: %s", name, strerror(-ret))
		       : ret;
}

/* Copies what @txn has beside its state. 0 or -errno. */
static int copy_files(const struct txn *txn, int from, int to, char **why)
{
	int ret = copy(from, to, CRIU_MANIFEST, MANIFEST_MAX_BYTES, why);

	return ret || !txn->external ? ret
				     : copy(from, to, CRIU_KEYS, KEYS_MAX_BYTES, why);
}

/* Whether the manifest in @images is the only one of its checkpoint, as `criu dump` leaves
 * it: nobody else would know its names. */
static bool is_original(const char *images)
{
	AUTO(manifest_fini) struct manifest there = {0};
	AUTO_FREE char *path = criu_path(images, CRIU_MANIFEST), *known = NULL;
	AUTO_FREE char *real = path ? realpath(path, NULL) : NULL;

	return real && !manifest_file_read(path, &there, NULL) &&
	       !index_find(there.id, &known) && !strcmp(known, real);
}

int transfer_out(const struct txn *txn, const char *images, char **why)
{
	AUTO_FREE char *dir = txn_directory(txn, txn->generation);
	AUTO_FD from = dir ? open_directory(dir, why) : -ENOMEM;
	AUTO_FD to = from < 0 ? -1 : open_directory(images, why);
	json_t *state;
	int ret;

	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	if (is_original(images))
		return why_set(why, -EEXIST,
			       "%s/" CRIU_MANIFEST " is of another checkpoint, and no "
			       "copy: clean it first",
			       images);
	ret = copy_files(txn, from, to, why);
	if (ret)
		return ret;
	state = txn_to_json(txn);
	ret = state ? placing_json(to, TRANSFER_STATE, state) : -ENOMEM;
	json_decref(state);
	return ret ? why_set(why, ret, "cannot write %s/" TRANSFER_STATE ": %s", images,
			     strerror(-ret))
		   : 0;
}

/* What the state in @from tells, of which nothing counts but what CRIU did. */
static int read_state(struct txn *txn, int from, char **why)
{
	AUTO_FREE char *text = NULL, *reason = NULL;
	size_t len;
	int ret = read_trusted(from, TRANSFER_STATE, TXN_MAX_BYTES, &text, &len, &reason);

	if (ret == -ENOENT) {
		txn->external = !faccessat(from, CRIU_KEYS, F_OK, 0);
		return 0;
	}
	ret = ret ?: txn_parse(text, len, txn, &reason);
	if (ret)
		return why_set(why, ret, TRANSFER_STATE ": %s",
			       reason ? reason : strerror(-ret));
	for (size_t i = 0; i < txn->n_links; i++) {
		txn->links[i].ino = 0;
		txn->links[i].made = false;
	}
	txn_drop_roots(txn);
	free(txn->store);
	txn->store = NULL;
	txn->phase = TXN_NONE;
	txn->generation = txn->attempt = 0;
	txn->checkpoint[0] = '\0';
	return 0;
}

int transfer_in(struct txn *txn, const char *images, char **why)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO_FREE char *path = criu_path(images, CRIU_MANIFEST), *dir = NULL;
	AUTO_FD from = path ? open_directory(images, why) : -ENOMEM, to = -1;
	int ret;

	if (from < 0)
		return from;
	ret = manifest_file_read(path, &manifest, why);
	ret = ret ?: read_state(txn, from, why);
	ret = ret ?: txn_next(txn, why);
	if (ret)
		return ret;
	txn->imported = true;
	memcpy(txn->checkpoint, manifest.id, sizeof(txn->checkpoint));
	txn->phase = TXN_PREPARING;
	ret = txn_save(txn, why);
	dir = ret ? NULL : txn_directory(txn, txn->generation);
	to = dir ? open_directory(dir, why) : -1;
	if (to < 0)
		return ret ?: to == -1 ? -ENOMEM : to;
	ret = copy_files(txn, from, to, why);
	txn->phase = ret ? txn->phase : TXN_DUMPED;
	return ret ?: txn_save(txn, why);
}
