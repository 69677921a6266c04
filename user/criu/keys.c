/* SPDX-License-Identifier: GPL-2.0-only */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/jsonread.h"
#include "base/list.h"
#include "base/why.h"
#include "proc/mount.h"

void criu_keys_fini(struct criu_keys *keys)
{
	for (size_t i = 0; i < keys->n_left; i++)
		free(keys->left[i].why);
	free(keys->keys);
	free(keys->left);
	free(keys->config);
	manifest_folder_fini(&keys->root);
	*keys = (struct criu_keys){0};
}

void criu_key_text(const struct criu_key *key, char *text)
{
	snprintf(text, 64, "file[%x:%" PRIx64 "]", key->mnt_id, key->ino);
}

static bool same_key(const struct criu_key *a, const struct criu_key *b)
{
	return a->mnt_id == b->mnt_id && a->ino == b->ino;
}

static int add_key(struct criu_keys *keys, const struct criu_key *key)
{
	struct criu_key *grown;

	/* Those of one entry are added one after the other. */
	for (size_t i = keys->n_keys; i-- > 0 && keys->keys[i].n == key->n;)
		if (same_key(&keys->keys[i], key))
			return 0;
	grown = list_grow(keys->keys, keys->n_keys, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	keys->keys = grown;
	grown[keys->n_keys++] = *key;
	return 0;
}

static int add_left(struct criu_keys *keys, unsigned int n, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int add_left(struct criu_keys *keys, unsigned int n, const char *format, ...)
{
	struct criu_left left = {.n = n}, *grown;
	va_list args;
	int len;

	grown = list_grow(keys->left, keys->n_left, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	keys->left = grown;
	va_start(args, format);
	len = vasprintf(&left.why, format, args);
	va_end(args);
	if (len < 0)
		return -ENOMEM;
	grown[keys->n_left++] = left;
	return 0;
}

/* The key that CRIU will see @holder's file by. Both numbers are known, but where stat(2) may
 * say another one than the inode has: on overlay, and what is another machine's or program's. */
static int key_of(const struct orphan *orphan, const struct holder *holder,
		  struct criu_key *out)
{
	AUTO_FD fd = -1;
	struct stat st;
	char link[96];
	int ret;

	if (holder_mount(orphan, holder) >= 0 && strcmp(orphan->fstype, "overlay") &&
	    !mount_may_hang(orphan->fstype)) {
		out->mnt_id = holder_mount(orphan, holder);
		out->ino = orphan->ino;
		return 0;
	}
	holder_proc_link(holder, link, sizeof(link));
	fd = open(link, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	ret = mount_id_of_fd(fd, &out->mnt_id);
	if (!ret)
		out->ino = st.st_ino;
	return ret;
}

/* Why @entry has to stay CRIU's; NULL when it need not. */
static const char *left_because(const struct manifest_entry *entry)
{
	bool linked = false;

	if (S_ISSOCK(entry->orphan.mode))
		return "a socket: CRIU has its own way";
	for (size_t i = 0; i < entry->orphan.n_holders; i++) {
		const struct holder *holder = &entry->orphan.holders[i];

		if (holder_is_behind(holder->kind))
			return "it is in a queue or a ring as well, where CRIU finds it";
		linked = true;
		/* It opens the fd that it inherits by its link in /proc. */
		if (holder->kind == RT_HOLDER_FD && (holder->flags & O_NOFOLLOW))
			return "it is open with O_NOFOLLOW, which CRIU would open the "
			       "inherited fd with (ELOOP)";
	}
	return linked ? NULL : "no process of the tree shows it";
}

int criu_keys_leave(struct criu_keys *keys, const struct manifest_entry *entry,
		    const char *because)
{
	size_t kept = 0;

	for (size_t i = 0; i < keys->n_keys; i++)
		if (keys->keys[i].n != entry->n)
			keys->keys[kept++] = keys->keys[i];
	keys->n_keys = kept;
	if (!entry->orphan.nlink && entry->orphan.allocated > keys->ghost_bytes)
		keys->ghost_bytes = entry->orphan.allocated;
	if (!entry->orphan.nlink && entry->orphan.size > keys->ghost_bytes)
		keys->ghost_bytes = entry->orphan.size;
	return add_left(keys, entry->n, "%s", because);
}

static int collect_entry(const struct manifest_entry *entry, struct criu_keys *keys,
			 char **why)
{
	const char *because = left_because(entry);

	if (because)
		return criu_keys_leave(keys, entry, because);
	for (size_t i = 0; i < entry->orphan.n_holders; i++) {
		const struct holder *holder = &entry->orphan.holders[i];
		struct criu_key key = {.n = entry->n};
		int ret = key_of(&entry->orphan, holder, &key);

		if (ret)
			return why_set(why, ret, "orphan%u of process %d: %s", entry->n,
				       holder->pid, strerror(-ret));
		ret = add_key(keys, &key);
		if (ret)
			return ret;
	}
	return 0;
}

static int by_key(const void *left, const void *right)
{
	const struct criu_key *a = left, *b = right;

	if (a->mnt_id != b->mnt_id)
		return a->mnt_id < b->mnt_id ? -1 : 1;
	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	return a->n < b->n ? -1 : a->n > b->n;
}

static int by_number(const void *left, const void *right)
{
	const unsigned int *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* The numbers of the entries that share a key, into @numbers; how many. The keys are
 * sorted. */
static size_t find_shared(const struct criu_keys *keys, unsigned int *numbers)
{
	size_t n = 0;

	for (size_t i = 0; i < keys->n_keys; i++) {
		const struct criu_key *key = &keys->keys[i];

		if ((i && same_key(key, key - 1)) ||
		    (i + 1 < keys->n_keys && same_key(key, key + 1)))
			numbers[n++] = key->n;
	}
	if (n)
		qsort(numbers, n, sizeof(*numbers), by_number);
	return n;
}

/* Leaves the entries to CRIU that have a key in common: on btrfs inodes of two subvolumes
 * can have one number, and the key has no device. */
static int leave_shared(struct criu_keys *keys)
{
	AUTO_FREE unsigned int *numbers = calloc(keys->n_keys + 1, sizeof(*numbers));
	size_t n, kept = 0;
	int ret = 0;

	if (!numbers)
		return -ENOMEM;
	if (keys->n_keys)
		qsort(keys->keys, keys->n_keys, sizeof(*keys->keys), by_key);
	n = find_shared(keys, numbers);
	for (size_t i = 0; i < n && !ret; i++)
		if (!i || numbers[i] != numbers[i - 1])
			ret = add_left(
				keys, numbers[i],
				"another orphan has the same mount and inode number, "
				"which is all that CRIU goes by");
	for (size_t i = 0; i < keys->n_keys; i++)
		if (!n ||
		    !bsearch(&keys->keys[i].n, numbers, n, sizeof(*numbers), by_number))
			keys->keys[kept++] = keys->keys[i];
	keys->n_keys = kept;
	return ret;
}

int criu_keys_collect(const struct manifest *manifest, struct criu_keys *out, char **why)
{
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	int ret = 0;

	memcpy(keys.id, manifest->id, sizeof(keys.id));
	for (size_t i = 0; i < manifest->n_entries && !ret; i++)
		ret = collect_entry(&manifest->entries[i], &keys, why);
	for (size_t i = 0; i < manifest->n_failed && !ret; i++)
		ret = add_left(&keys, manifest->failed[i].n,
			       "it could not be preserved: %s", manifest->failed[i].text);
	ret = ret ?: leave_shared(&keys);
	if (ret)
		return ret;
	*out = keys;
	keys = (struct criu_keys){0};
	return 0;
}

static json_t *keys_array(const struct criu_keys *keys)
{
	json_t *array = json_array();
	char text[17];

	for (size_t i = 0; i < keys->n_keys; i++) {
		snprintf(text, sizeof(text), "%" PRIx64, keys->keys[i].ino);
		json_array_append_new(
			array, json_pack("{s:i,s:i,s:s}", "n", (int)keys->keys[i].n,
					 "mnt_id", keys->keys[i].mnt_id, "ino", text));
	}
	return array;
}

static json_t *from_root(const struct manifest_folder *root)
{
	json_t *object = json_pack(
		"{s:I,s:I,s:i,s:i,s:I}", "dev_major", (json_int_t)root->dev_major,
		"dev_minor", (json_int_t)root->dev_minor, "mnt_id", root->mnt_id, "pid",
		(int)root->pid, "start_time", (json_int_t)root->start_time);

	json_set_bytes(object, "mount_root", root->mount_root);
	return object;
}

json_t *criu_keys_to_json(const struct criu_keys *keys)
{
	json_t *left = json_array(), *root;

	for (size_t i = 0; i < keys->n_left; i++) {
		json_t *object = json_pack("{s:i}", "n", (int)keys->left[i].n);

		json_set_bytes(object, "why", keys->left[i].why);
		json_array_append_new(left, object);
	}
	root = json_pack("{s:s,s:s,s:o,s:o,s:I}", "schema", KEYS_SCHEMA, "id", keys->id,
			 "taken", keys_array(keys), "left", left, "ghost_bytes",
			 (json_int_t)keys->ghost_bytes);
	if (keys->root.path)
		json_object_set_new(root, "root", from_root(&keys->root));
	if (keys->config)
		json_set_bytes(root, "config", keys->config);
	return root;
}

/* Where the signposts are, and the file of options: without them there are no such fields.
 */
static void read_signposts(struct jsonread *reader, const json_t *json,
			   struct criu_keys *out)
{
	struct manifest_folder *root = &out->root;
	const json_t *object;

	reader->where[0] = '\0';
	if (json_object_get(json, "config") || json_object_get(json, "config_b64"))
		out->config = jsonread_bytes(reader, json, "config", PATH_MAX, false);
	if (!json_object_get(json, "root"))
		return;
	object = jsonread_object(reader, json, "root");
	snprintf(reader->where, sizeof(reader->where), "root");
	root->dev_major = jsonread_integer(reader, object, "dev_major", 0, UINT32_MAX);
	root->dev_minor = jsonread_integer(reader, object, "dev_minor", 0, UINT32_MAX);
	root->mnt_id = jsonread_integer(reader, object, "mnt_id", 0, INT_MAX);
	root->pid = jsonread_integer(reader, object, "pid", 1, INT_MAX);
	root->start_time = jsonread_integer(reader, object, "start_time", 0, INT64_MAX);
	root->mount_root = jsonread_bytes(reader, object, "mount_root", PATH_MAX, false);
	if (root->mount_root && root->mount_root[0] != '/')
		jsonread_fault(reader, "mount_root", "must be absolute");
	root->mount_point = strdup("/");
	root->path = strdup(".");
	if (!reader->error && (!root->mount_point || !root->path))
		reader->error = -ENOMEM;
}

static void read_left(struct jsonread *reader, const json_t *root, struct criu_keys *out)
{
	const json_t *array = jsonread_array(reader, root, "left", KEYS_MAX), *element;
	size_t i;

	json_array_foreach((json_t *)array, i, element)
	{
		AUTO_FREE char *why = NULL;
		unsigned int n;

		if (reader->error)
			return;
		snprintf(reader->where, sizeof(reader->where), "left[%zu]", i);
		n = jsonread_integer(reader, element, "n", 0, INT_MAX);
		why = jsonread_bytes(reader, element, "why", KEYS_MAX_WHY, false);
		if (!reader->error)
			reader->error = add_left(out, n, "%s", why);
	}
	reader->where[0] = '\0';
}

static void read_taken(struct jsonread *reader, const json_t *root, struct criu_keys *out)
{
	const json_t *array = jsonread_array(reader, root, "taken", KEYS_MAX), *element;
	size_t i;

	json_array_foreach((json_t *)array, i, element)
	{
		struct criu_key key = {0};

		if (reader->error)
			return;
		snprintf(reader->where, sizeof(reader->where), "taken[%zu]", i);
		key.n = jsonread_integer(reader, element, "n", 0, INT_MAX);
		key.mnt_id = jsonread_integer(reader, element, "mnt_id", 0, INT_MAX);
		key.ino = jsonread_hex(reader, element, "ino");
		if (!reader->error)
			reader->error = add_key(out, &key);
	}
}

int criu_keys_parse(const char *text, size_t len, struct criu_keys *out, char **why)
{
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	struct jsonread reader = {0};
	json_error_t error;
	const char *word;
	json_t *root;

	if (len > KEYS_MAX_BYTES)
		return why_set(why, -EINVAL, "more than %u bytes", KEYS_MAX_BYTES);
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return why_set(why, -EINVAL, "line %d: %s", error.line, error.text);
	word = jsonread_string(&reader, root, "schema", 64);
	if (word && strcmp(word, KEYS_SCHEMA))
		jsonread_fault(&reader, "schema", "is not " KEYS_SCHEMA);
	word = jsonread_string(&reader, root, "id", sizeof(keys.id) - 1);
	if (word)
		memcpy(keys.id, word, strlen(word));
	read_taken(&reader, root, &keys);
	reader.where[0] = '\0';
	read_left(&reader, root, &keys);
	if (json_object_get(root, "ghost_bytes")) /* 0.1.0 did not write it */
		keys.ghost_bytes =
			jsonread_integer(&reader, root, "ghost_bytes", 0, INT64_MAX);
	read_signposts(&reader, root, &keys);
	json_decref(root);
	if (reader.error)
		return why_set(why, reader.error, "%s", reader.fault);
	*out = keys;
	keys = (struct criu_keys){0};
	return 0;
}
