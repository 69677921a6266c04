/* SPDX-License-Identifier: GPL-2.0-only */
#include "transaction.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/durable.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/list.h"
#include "base/readall.h"
#include "base/why.h"
#include "criu/handover.h"
#include "journal/index.h"
#include "placing.h"

#define STATE	  "state.json"
#define DIRECTORY "hook"

static const char *const phases[] = {
	[TXN_NONE] = "none",	       [TXN_PREPARING] = "preparing",
	[TXN_PREPARED] = "prepared",   [TXN_DUMPED] = "dumped",
	[TXN_RESTORING] = "restoring",
};

const char *txn_phase_name(enum txn_phase phase)
{
	return phases[phase];
}

bool txn_id_valid(const char *id)
{
	size_t len = strlen(id);

	if (!len || len > TXN_ID_MAX || id[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isascii(id[i]) ||
		    !(isalnum((unsigned char)id[i]) || strchr("._-", id[i])))
			return false;
	return true;
}

void txn_drop_links(struct txn *txn)
{
	for (size_t i = 0; i < txn->n_links; i++)
		free(txn->links[i].name);
	free(txn->links);
	txn->links = NULL;
	txn->n_links = 0;
}

void txn_drop_roots(struct txn *txn)
{
	for (size_t i = 0; i < txn->n_roots; i++)
		free(txn->roots[i]);
	free(txn->roots);
	txn->roots = NULL;
	txn->n_roots = 0;
}

void txn_fini(struct txn *txn)
{
	txn_drop_links(txn);
	txn_drop_roots(txn);
	auto_close(&txn->dir_fd);
	free(txn->dir);
	free(txn->store);
	*txn = (struct txn)TXN_INIT;
}

int txn_add_link(struct txn *txn, unsigned int n, const char *name)
{
	struct txn_link *grown = list_grow(txn->links, txn->n_links, sizeof(*grown));
	char *copy = strdup(name);

	if (grown)
		txn->links = grown;
	if (!grown || !copy) {
		free(copy);
		return -ENOMEM;
	}
	grown[txn->n_links++] = (struct txn_link){.n = n, .name = copy};
	return 0;
}

int txn_add_root(struct txn *txn, const char *spec)
{
	char **grown = list_grow(txn->roots, txn->n_roots, sizeof(*grown));
	char *copy = strdup(spec);

	if (grown)
		txn->roots = grown;
	if (!grown || !copy) {
		free(copy);
		return -ENOMEM;
	}
	grown[txn->n_roots++] = copy;
	return 0;
}

struct txn_link *txn_link_of(struct txn *txn, unsigned int n)
{
	for (size_t i = 0; i < txn->n_links; i++)
		if (txn->links[i].n == n)
			return &txn->links[i];
	return NULL;
}

/* Opens @path. 1 locked; 0 somebody removed it meanwhile; -errno. */
static int lock_directory(const char *path, int *out, char **why)
{
	AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat now, st;

	if (fd < 0)
		return errno == ENOENT ? 0
				       : why_set(why, -errno, "cannot open %s: %m", path);
	while (flock(fd, LOCK_EX)) {
		if (errno != EINTR)
			return why_set(why, -errno, "cannot lock %s: %m", path);
		if (interrupt_pending())
			return why_set(
				why, -EINTR,
				"another call of this transaction is still at work");
	}
	if (fstat(fd, &st))
		return -errno;
	if (stat(path, &now) || now.st_ino != st.st_ino || now.st_dev != st.st_dev)
		return 0;
	*out = TAKE_FD(fd);
	return 1;
}

static int open_locked(struct txn *txn, bool create, char **why)
{
	int ret = 0;

	do {
		if (create)
			ret = durable_mkdir(txn->dir, why);
		if (ret)
			return ret;
		ret = lock_directory(txn->dir, &txn->dir_fd, why);
	} while (!ret && create);
	return ret < 0 ? ret : 0;
}

static int read_state(struct txn *txn, char **why)
{
	AUTO_FD fd = openat(txn->dir_fd, STATE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_FREE char *text = NULL, *reason = NULL;
	size_t len;
	int ret;

	/* Killed before it was written: then nothing else was made either. */
	if (fd < 0)
		return errno == ENOENT
			       ? 0
			       : why_set(why, -errno, "cannot open %s/" STATE ": %m",
					 txn->dir);
	ret = readall(fd, TXN_MAX_BYTES, &text, &len);
	ret = ret ?: txn_parse(text, len, txn, &reason);
	return ret ? why_set(why, ret, "%s/" STATE ": %s", txn->dir,
			     reason ? reason : strerror(-ret))
		   : 0;
}

/* Opens what there is. One that was being removed is removed to the end. */
static int open_known(struct txn *txn, char **why)
{
	int ret = open_locked(txn, false, why);
	struct txn known;

	if (ret || txn->dir_fd < 0)
		return ret;
	ret = read_state(txn, why);
	if (ret || txn->phase != TXN_NONE)
		return ret;
	txn_remove(txn);
	known = (struct txn){.dir = TAKE_PTR(txn->dir), .dir_fd = -1};
	memcpy(known.id, txn->id, sizeof(known.id));
	txn_fini(txn);
	*txn = known;
	return 0;
}

/* The directory of @txn, which has its id. */
static int find_directory(struct txn *txn, char **all)
{
	AUTO_FREE char *absolute = realpath(index_directory(), NULL);

	return !absolute || asprintf(all, "%s/" DIRECTORY, absolute) < 0 ||
			       asprintf(&txn->dir, "%s/%s", *all, txn->id) < 0
		       ? -ENOMEM
		       : 0;
}

int txn_peek(struct txn *txn)
{
	AUTO_FREE char *all = NULL;
	int ret = index_check(NULL);

	ret = ret ?: find_directory(txn, &all);
	if (ret)
		return ret;
	txn->dir_fd = open(txn->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return txn->dir_fd < 0 ? -errno : read_state(txn, NULL);
}

int txn_open(struct txn *txn, const char *id, bool create, char **why)
{
	AUTO_FREE char *all = NULL;
	int ret = create ? index_make(why) : 0;

	snprintf(txn->id, sizeof(txn->id), "%s", id);
	if (ret)
		return ret;
	ret = index_check(why);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	ret = find_directory(txn, &all);
	if (ret)
		return ret;
	if (create)
		ret = durable_mkdir(all, why);
	ret = ret ?: open_known(txn, why);
	if (ret || txn->dir_fd >= 0 || !create)
		return ret;
	return open_locked(txn, true, why);
}

static json_t *links_to_json(const struct txn *txn)
{
	json_t *array = json_array();

	for (size_t i = 0; i < txn->n_links; i++) {
		const struct txn_link *link = &txn->links[i];
		json_t *object =
			json_pack("{s:i,s:b}", "n", (int)link->n, "made", link->made);

		json_set(object, "ino", json_from_ino(link->ino));
		json_set_bytes(object, "name", link->name);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *roots_to_json(const struct txn *txn)
{
	json_t *array = json_array();

	for (size_t i = 0; i < txn->n_roots; i++) {
		json_t *object = json_object();

		json_set_bytes(object, "root", txn->roots[i]);
		json_array_append_new(array, object);
	}
	return array;
}

json_t *txn_to_json(const struct txn *txn)
{
	json_t *root = json_pack(
		"{s:s,s:s,s:s,s:i,s:s,s:b,s:b,s:b,s:I,s:I,s:o,s:o}", "schema", TXN_SCHEMA,
		"id", txn->id, "phase", txn_phase_name(txn->phase), "generation",
		(int)txn->generation, "checkpoint", txn->checkpoint, "external",
		txn->external, "stable", txn->stable, "imported", txn->imported, "ghosts",
		(json_int_t)txn->ghosts, "ghost_bytes", (json_int_t)txn->ghost_bytes,
		"links", links_to_json(txn), "roots", roots_to_json(txn));

	if (txn->store)
		json_set_bytes(root, "store", txn->store);
	if (txn->attempt)
		json_set(root, "attempt", json_integer(txn->attempt));
	return root;
}

unsigned int txn_last(const struct txn *txn)
{
	return txn->attempt > txn->generation ? txn->attempt : txn->generation;
}

int txn_save(const struct txn *txn, char **why)
{
	json_t *root = txn_to_json(txn);
	int ret = root ? placing_json(txn->dir_fd, STATE, root) : -ENOMEM;

	json_decref(root);
	return ret ? why_set(why, ret, "cannot write %s/" STATE ": %s", txn->dir,
			     strerror(-ret))
		   : 0;
}

char *txn_directory(const struct txn *txn, unsigned int number)
{
	char *path;

	return asprintf(&path, "%s/%u", txn->dir, number) < 0 ? NULL : path;
}

int txn_next(struct txn *txn, char **why)
{
	AUTO_FREE char *path = txn_directory(txn, txn->generation + 1);
	int ret = path ? durable_mkdir(path, why) : -ENOMEM;

	if (!ret)
		txn->generation++;
	return ret;
}

void txn_forget_generation(const struct txn *txn, unsigned int number)
{
	AUTO_FREE char *path = txn_directory(txn, number);
	AUTO_FREE char *manifest = path ? criu_path(path, CRIU_MANIFEST) : NULL;

	if (!manifest)
		return;
	unlink(manifest);
	criu_keys_remove(path);
	rmdir(path);
}

void txn_remove(struct txn *txn)
{
	/* Whoever is killed from here on leaves files that nobody needs, and says so. */
	txn->phase = TXN_NONE;
	if (txn->generation)
		txn_save(txn, NULL);
	/* The next one may be there, and empty. */
	for (unsigned int i = 1; i <= txn_last(txn) + 1; i++)
		txn_forget_generation(txn, i);
	unlinkat(txn->dir_fd, TXN_KEEPER, 0);
	unlinkat(txn->dir_fd, STATE, 0);
	rmdir(txn->dir);
}
