/* SPDX-License-Identifier: GPL-2.0-only */
/* The state of a transaction, which may have come with images from elsewhere. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/jsonread.h"
#include "base/why.h"
#include "journal/index.h"
#include "manifest/template.h"
#include "transaction.h"

static void read_link(struct jsonread *reader, const json_t *element, struct txn *txn)
{
	AUTO_FREE char *name = jsonread_bytes(reader, element, "name", PATH_MAX, false);
	unsigned int n = jsonread_integer(reader, element, "n", 0, INT_MAX);
	uint64_t ino = jsonread_ino(reader, element, "ino");
	bool made = jsonread_boolean(reader, element, "made");

	if (!reader->error && !relink_path_valid(name))
		jsonread_fault(reader, "name", "is not a path below a root");
	if (!reader->error)
		reader->error = txn_add_link(txn, n, name);
	if (reader->error)
		return;
	txn->links[txn->n_links - 1].ino = ino;
	txn->links[txn->n_links - 1].made = made;
}

static void read_links(struct jsonread *reader, const json_t *root, struct txn *txn)
{
	const json_t *array = jsonread_array(reader, root, "links", TXN_MAX_LINKS),
		     *element;
	size_t i;

	json_array_foreach((json_t *)array, i, element)
	{
		if (reader->error)
			return;
		snprintf(reader->where, sizeof(reader->where), "links[%zu]", i);
		read_link(reader, element, txn);
	}
	reader->where[0] = '\0';
}

static void read_roots(struct jsonread *reader, const json_t *root, struct txn *txn)
{
	const json_t *array = jsonread_array(reader, root, "roots", TXN_MAX_ROOTS),
		     *element;
	size_t i;

	json_array_foreach((json_t *)array, i, element)
	{
		AUTO_FREE char *spec = NULL;

		if (reader->error)
			return;
		snprintf(reader->where, sizeof(reader->where), "roots[%zu]", i);
		spec = jsonread_bytes(reader, element, "root", 2 * PATH_MAX, false);
		if (!reader->error)
			reader->error = txn_add_root(txn, spec);
	}
	reader->where[0] = '\0';
}

static void read_phase(struct jsonread *reader, const json_t *root, struct txn *txn)
{
	const char *word = jsonread_string(reader, root, "phase", 16);

	for (enum txn_phase phase = TXN_NONE; word && phase <= TXN_RESTORING; phase++) {
		if (strcmp(word, txn_phase_name(phase)))
			continue;
		txn->phase = phase;
		return;
	}
	jsonread_fault(reader, "phase", "is not one");
}

static void read_all(struct jsonread *reader, const json_t *root, struct txn *txn)
{
	const char *word = jsonread_string(reader, root, "schema", 64);

	if (word && strcmp(word, TXN_SCHEMA))
		jsonread_fault(reader, "schema", "is not " TXN_SCHEMA);
	word = jsonread_string(reader, root, "checkpoint", sizeof(txn->checkpoint) - 1);
	if (word && word[0] && !index_id_valid(word))
		jsonread_fault(reader, "checkpoint", "is not the id of one");
	if (word && !reader->error)
		memcpy(txn->checkpoint, word, strlen(word) + 1);
	read_phase(reader, root, txn);
	txn->generation = jsonread_integer(reader, root, "generation", 0, INT_MAX - 1);
	if (json_object_get(root, "attempt"))
		txn->attempt = jsonread_integer(reader, root, "attempt", 1, INT_MAX - 1);
	txn->external = jsonread_boolean(reader, root, "external");
	txn->stable = jsonread_boolean(reader, root, "stable");
	txn->imported = jsonread_boolean(reader, root, "imported");
	txn->ghosts = jsonread_integer(reader, root, "ghosts", 0, INT64_MAX);
	txn->ghost_bytes = jsonread_integer(reader, root, "ghost_bytes", 0, INT64_MAX);
	if (json_object_get(root, "store") || json_object_get(root, "store_b64"))
		txn->store = jsonread_bytes(reader, root, "store", PATH_MAX, false);
	if (txn->store && !absolute_path_valid(txn->store))
		jsonread_fault(reader, "store", "is not an absolute path");
	read_links(reader, root, txn);
	read_roots(reader, root, txn);
}

int txn_parse(const char *text, size_t len, struct txn *txn, char **why)
{
	AUTO(txn_fini) struct txn read = TXN_INIT;
	struct jsonread reader = {0};
	json_error_t error;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

	if (!root)
		return why_set(why, -EINVAL, "line %d: %s", error.line, error.text);
	read_all(&reader, root, &read);
	json_decref(root);
	if (reader.error)
		return why_set(why, reader.error, "%s", reader.fault);
	memcpy(read.id, txn->id, sizeof(read.id));
	read.dir = TAKE_PTR(txn->dir);
	read.dir_fd = TAKE_FD(txn->dir_fd);
	txn_fini(txn);
	*txn = read;
	read = (struct txn)TXN_INIT;
	return 0;
}
