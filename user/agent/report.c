/* SPDX-License-Identifier: GPL-2.0-only */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/why.h"
#include "criu/handover.h"
#include "preserve/carried.h"

static const char *const outcomes[] = {
	[OUTCOME_DONE] = "done",
	[OUTCOME_PART] = "part",
	[OUTCOME_FAILED] = "failed",
};

static void take_line(const char *level, const char *line, void *data)
{
	struct report *report = data;
	json_t *object = json_pack("{s:s}", "level", level);

	json_set_bytes(object, "text", line);
	json_array_append_new(report->messages, object);
}

void report_begin(struct report *report, const char *action)
{
	*report = (struct report){
		.action = action,
		.proceed = true,
		.options = json_array(),
		.config = json_array(),
		.external = json_array(),
		.left = json_array(),
		.names = json_array(),
		.links = json_array(),
		.inherit = json_array(),
		.messages = json_array(),
		.store = json_null(),
		.keeper = json_null(),
	};
	log_set_sink(take_line, report);
}

void report_fini(struct report *report)
{
	log_set_sink(NULL, NULL);
	json_decref(report->options);
	json_decref(report->config);
	json_decref(report->external);
	json_decref(report->left);
	json_decref(report->names);
	json_decref(report->links);
	json_decref(report->inherit);
	json_decref(report->messages);
	json_decref(report->store);
	json_decref(report->keeper);
}

void report_worsen(struct report *report, enum outcome outcome)
{
	if (outcome > report->outcome)
		report->outcome = outcome;
}

int report_phase(struct report *report, struct txn *txn, enum txn_phase phase)
{
	AUTO_FREE char *why = NULL;
	int ret;

	txn->phase = phase;
	ret = txn_save(txn, &why);
	if (!ret)
		return 0;
	log_error("%s", why_text(why));
	report_worsen(report, OUTCOME_FAILED);
	return ret;
}

/* Whether the mount of @entry is not its container's alone, a bind mount: CRIU dumps nothing
 * of it, and the archive of a root does not have it. null: another boot's. */
static json_t *is_outside(const struct manifest *manifest,
			  const struct manifest_entry *entry)
{
	const struct orphan *orphan = &entry->orphan;
	bool outside;

	if (!orphan->mnt_point || !manifest_same_boot(manifest))
		return json_null();
	if (!strcmp(orphan->mnt_point, "/"))
		return json_false();
	return carried_outside(orphan, &outside) ? json_null() : json_boolean(outside);
}

/* Where the name of @entry is. */
static json_t *name_of(const struct manifest *manifest,
		       const struct manifest_entry *entry)
{
	json_t *object = json_pack("{s:i,s:s,s:b,s:o}", "n", (int)entry->n, "method",
				   method_name(entry->method), "store", entry->store,
				   "outside", is_outside(manifest, entry));

	json_set_bytes(object, "mount_point", entry->orphan.mnt_point);
	json_set_bytes(object, "path", entry->relink_path);
	json_set_bytes(object, "was", entry->orphan.path);
	return object;
}

void report_manifest(struct report *report, const struct manifest *manifest)
{
	report->preserved = manifest->n_entries;
	report->failed = manifest->n_failed;
	/* One in a root has been removed where nothing went into it. */
	if (manifest_stored(manifest)) {
		json_decref(report->store);
		report->store = store_to_json(&manifest->store);
	}
	for (size_t i = 0; i < manifest->n_entries; i++)
		if (manifest->entries[i].relink_path)
			json_array_append_new(report->names,
					      name_of(manifest, &manifest->entries[i]));
	for (size_t i = 0; i < manifest->n_failed; i++)
		log_warning("orphan%u could not be preserved: %s", manifest->failed[i].n,
			    manifest->failed[i].text);
}

static void add_left(struct report *report, json_t *n, const char *why)
{
	json_t *object = json_pack("{s:o}", "n", n);

	json_set_bytes(object, "why", why);
	json_array_append_new(report->left, object);
}

static void add_words(struct report *report, const struct criu_keys *keys)
{
	AUTO(criu_words_fini) struct criu_words words = {0};

	if (criu_words_dump(&words, keys))
		report_worsen(report, OUTCOME_FAILED);
	for (size_t i = 0; i < words.n; i++)
		json_array_append_new(report->options, json_string(words.words[i]));
	for (size_t i = 0; i < words.n;) {
		AUTO_FREE char *line = criu_words_line(&words, &i);

		json_array_append_new(report->config, json_string(line ? line : ""));
	}
}

void report_dump(struct report *report, const struct txn *txn,
		 const struct criu_keys *keys)
{
	struct criu_keys wanted = *keys;

	for (size_t i = 0; i < keys->n_keys; i++) {
		char text[64];

		criu_key_text(&keys->keys[i], text);
		json_array_append_new(
			report->external,
			json_pack("{s:i,s:s}", "n", (int)keys->keys[i].n, "key", text));
	}
	for (size_t i = 0; i < keys->n_left; i++)
		add_left(report, json_integer(keys->left[i].n), keys->left[i].why);
	if (txn->ghosts)
		add_left(report, json_null(),
			 txn->external
				 ? "without any name, and the cgroup was not kept "
				   "frozen: what was copied would be old by the dump"
				 : "without any name: it goes into CRIU's image");
	if (txn->ghost_bytes > wanted.ghost_bytes)
		wanted.ghost_bytes = txn->ghost_bytes;
	/* What is linked, and what is born before the dump. */
	wanted.others = !txn->external || !txn->stable;
	add_words(report, &wanted);
}

void report_keeper(struct report *report, pid_t pid)
{
	json_decref(report->keeper);
	report->keeper = json_pack("{s:i}", "pid", (int)pid);
}

void report_link(struct report *report, const struct txn_link *link, const char *state)
{
	json_t *object = json_pack("{s:i,s:s}", "n", (int)link->n, "state", state);

	json_set_bytes(object, "name", link->name);
	json_array_append_new(report->links, object);
}

void report_inherit(struct report *report, const struct criu_key *key, const char *path)
{
	json_t *object;
	char text[64];

	criu_key_text(key, text);
	object = json_pack("{s:i,s:s}", "n", (int)key->n, "key", text);
	json_set_bytes(object, "path", path);
	json_array_append_new(report->inherit, object);
}

static json_t *criu_to_json(const struct report *report)
{
	return json_pack("{s:O,s:O,s:O,s:O,s:O,s:O}", "options", report->options,
			 "config", report->config, "external", report->external, "left",
			 report->left, "links", report->links, "inherit",
			 report->inherit);
}

json_t *report_to_json(const struct report *report, const struct txn *txn)
{
	json_t *root = json_pack("{s:s,s:s,s:s,s:s,s:b,s:b,s:s,s:I,s:I,s:{s:I,s:I,s:I},s:"
				 "O,s:O,s:O,s:o,s:O}",
				 "schema", REPORT_SCHEMA, "action", report->action, "id",
				 txn->id, "outcome", outcomes[report->outcome], "proceed",
				 report->proceed, "repeated", report->repeated, "phase",
				 txn_phase_name(txn->phase), "preserved",
				 (json_int_t)report->preserved, "failed",
				 (json_int_t)report->failed, "cleaned", "removed",
				 (json_int_t)report->cleaned.removed, "absent",
				 (json_int_t)report->cleaned.absent, "left",
				 (json_int_t)report->cleaned.left, "names", report->names,
				 "store", report->store, "keeper", report->keeper, "criu",
				 criu_to_json(report), "messages", report->messages);
	bool known = txn->phase > TXN_PREPARING && txn->checkpoint[0];
	AUTO_FREE char *dir = known ? txn_directory(txn, txn->generation) : NULL;
	AUTO_FREE char *path = dir ? criu_path(dir, CRIU_MANIFEST) : NULL;

	json_set(root, "checkpoint", known ? json_string(txn->checkpoint) : json_null());
	json_set_bytes(root, "manifest", path);
	return root;
}

int report_print(const struct report *report, const struct txn *txn)
{
	json_t *root = report_to_json(report, txn);
	int ret = !root || json_dumpf(root, stdout, JSON_INDENT(2)) || puts("") == EOF ||
		  fflush(stdout);

	json_decref(root);
	return ret ? -EIO : 0;
}
