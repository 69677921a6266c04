/* SPDX-License-Identifier: GPL-2.0-only */
#include "journal.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/auto.h"
#include "base/jsonread.h"
#include "base/list.h"
#include "base/why.h"
#include "manifest/fsid_json.h"
#include "manifest/template.h"
#include "orphan/orphan_parse.h"

/* Before the JSON of each line: its checksum in hex, and a space. */
#define SUM_LEN 9

static void json_release(json_t **json)
{
	json_decref(*json);
}

static void place_fini(struct journal_place *place)
{
	store_fini(&place->store);
	free(place->mount_point);
	free(place->mount_root);
	*place = (struct journal_place){0};
}

static void name_fini(struct journal_name *name)
{
	free(name->path);
	*name = (struct journal_name){0};
}

void journal_fini(struct journal *journal)
{
	for (size_t i = 0; i < journal->n_places; i++)
		place_fini(&journal->places[i]);
	free(journal->places);
	for (size_t i = 0; i < journal->n_names; i++)
		name_fini(&journal->names[i]);
	free(journal->names);
	*journal = (struct journal){0};
}

void journal_own_name(const char *id, unsigned int number, char out[JOURNAL_OWN_NAME])
{
	snprintf(out, JOURNAL_OWN_NAME, ".relinktrace-%.32s-%u", id, number);
}

bool journal_is_own_name(const char *id, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char want[JOURNAL_OWN_NAME];
	unsigned long number;
	char *end;

	snprintf(want, sizeof(want), ".relinktrace-%.32s-", id);
	if (strncmp(name, want, strlen(want)))
		return false;
	number = strtoul(name + strlen(want), &end, 10);
	journal_own_name(id, number, want);
	return number <= UINT_MAX && !strcmp(name, want);
}

static void read_head(struct jsonread *reader, const json_t *line, struct journal *out)
{
	const char *schema = jsonread_string(reader, line, "schema", 64);

	if (schema && strcmp(schema, JOURNAL_SCHEMA))
		jsonread_fault(reader, "schema", "must be \"" JOURNAL_SCHEMA "\"");
	jsonread_exact(reader, line, "id", 32, "0123456789abcdef", out->id);
	out->created_ns = jsonread_time(reader, line, "created_at");
	jsonread_exact(reader, line, "boot_id", 36, "0123456789abcdef-", out->boot_id);
}

static void read_mount(struct jsonread *reader, const json_t *line,
		       struct journal_place *out)
{
	const json_t *mount = jsonread_object(reader, line, "mount");
	const json_t *holder = jsonread_object(reader, line, "holder");

	jsonread_dev(reader, line, "dev", &out->dev_major, &out->dev_minor);
	out->mnt_id = jsonread_integer(reader, mount, "id", 0, INT_MAX);
	out->mount_point = jsonread_bytes(reader, mount, "point", PATH_MAX, true);
	out->mount_root = jsonread_bytes(reader, mount, "root", PATH_MAX, false);
	if (out->mount_root && out->mount_root[0] != '/')
		jsonread_fault(reader, "mount", "must have an absolute root");
	fsid_from_json(reader, mount, out->fsid);
	out->pid = jsonread_integer(reader, holder, "pid", 1, INT_MAX);
	out->start_time = jsonread_integer(reader, holder, "start_time", 0, INT64_MAX);
}

/* A mount, or where @store a store. */
static void read_place(struct jsonread *reader, const json_t *line, bool store,
		       struct journal *out)
{
	AUTO(place_fini) struct journal_place place = {0};
	struct journal_place *grown;

	if (store && jsonread_null(reader, line, "store"))
		jsonread_fault(reader, "store", "must not be null");
	else if (store)
		store_from_json(reader, line, &place.store);
	else
		read_mount(reader, line, &place);
	if (out->n_places >= JOURNAL_MAX_PLACES)
		jsonread_fault(reader, "mount", "is one too many");
	if (reader->error)
		return;
	grown = list_grow(out->places, out->n_places, sizeof(place));
	if (!grown) {
		reader->error = -ENOMEM;
		return;
	}
	out->places = grown;
	out->places[out->n_places++] = place;
	place = (struct journal_place){0};
}

static void read_name(struct jsonread *reader, const json_t *line, struct journal *out)
{
	AUTO(name_fini) struct journal_name name = {0};
	struct journal_name *grown;

	name.path = jsonread_bytes(reader, line, "path", RELINK_PATH_MAX, false);
	if (name.path && !relink_path_valid(name.path))
		jsonread_fault(reader, "path", "must be a path below the mount");
	name.place = jsonread_integer(reader, line, "place", 0, JOURNAL_MAX_PLACES);
	if (name.place >= out->n_places)
		jsonread_fault(reader, "place", "must be of a line before");
	name.identity.type = json_to_type(reader, line);
	name.has_ino = !jsonread_null(reader, line, "ino");
	if (name.has_ino)
		name.identity.ino = jsonread_ino(reader, line, "ino");
	else if (name.path && !journal_is_own_name(out->id, name.path))
		jsonread_fault(reader, "path",
			       "must have the checkpoint's id in it, or an ino");
	name.identity.has_generation = !jsonread_null(reader, line, "generation");
	if (name.identity.has_generation)
		name.identity.generation =
			jsonread_integer(reader, line, "generation", 0, UINT32_MAX);
	if (reader->error)
		return;
	grown = list_grow(out->names, out->n_names, sizeof(name));
	if (!grown) {
		reader->error = -ENOMEM;
		return;
	}
	out->names = grown;
	out->names[out->n_names++] = name;
	name = (struct journal_name){0};
}

/* Whether the @len bytes at @line, without the newline, are as they were written. */
static bool is_whole(const char *line, size_t len)
{
	char sum[SUM_LEN + 1];

	if (len <= SUM_LEN || len > JOURNAL_MAX_LINE)
		return false;
	snprintf(sum, sizeof(sum), "%08lx ",
		 crc32(0, (const unsigned char *)line + SUM_LEN, len - SUM_LEN));
	return !memcmp(line, sum, SUM_LEN);
}

static int read_line(struct journal *out, const char *line, size_t len, size_t number,
		     char **why)
{
	AUTO(json_release) json_t *json = NULL;
	struct jsonread reader = {0};
	json_error_t error;

	json = json_loadb(line + SUM_LEN, len - SUM_LEN, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		return why_set(why, -EINVAL, "line %zu: %s", number, error.text);
	snprintf(reader.where, sizeof(reader.where), "line %zu", number);
	if (!json_is_object(json))
		return why_set(why, -EINVAL, "line %zu: not an object", number);
	if (out->committing)
		return why_set(why, -EINVAL, "line %zu: comes after the last one",
			       number);
	if (number == 1)
		read_head(&reader, json, out);
	else if (json_object_get(json, "committing"))
		out->committing =
			jsonread_boolean(&reader, json, "committing") ||
			(jsonread_fault(&reader, "committing", "must be true"), false);
	else if (json_object_get(json, "abandoned"))
		out->abandoned =
			jsonread_boolean(&reader, json, "abandoned") ||
			(jsonread_fault(&reader, "abandoned", "must be true"), false);
	else if (json_object_get(json, "mount"))
		read_place(&reader, json, false, out);
	else if (json_object_get(json, "store"))
		read_place(&reader, json, true, out);
	else
		read_name(&reader, json, out);
	if (reader.error)
		return why_set(why, reader.error, "%s", reader.fault);
	return 0;
}

int journal_parse(const char *text, size_t len, struct journal *out, char **why)
{
	AUTO(journal_fini) struct journal journal = {0};
	const char *end = text + len, *newline;
	size_t number = 0, bad = 0;

	if (len > JOURNAL_MAX_BYTES)
		return why_set(why, -EINVAL, "longer than %u bytes", JOURNAL_MAX_BYTES);
	for (; text < end; text = newline + 1) {
		int ret;

		newline = memchr(text, '\n', end - text);
		number++;
		if (!newline || !is_whole(text, newline - text)) {
			bad = bad ?: number;
			if (!newline)
				break;
			continue;
		}
		if (bad)
			return why_set(why, -EINVAL,
				       "line %zu is not as it was written, and others "
				       "come after it",
				       bad);
		ret = read_line(&journal, text, newline - text, number, why);
		if (ret)
			return ret;
	}
	*out = journal;
	journal = (struct journal){0};
	return 0;
}
