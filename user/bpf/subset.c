// SPDX-License-Identifier: GPL-2.0-only
#include "subset.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/btf.h>

#include "base/auto.h"
#include "base/durable.h"

struct name {
	const char *text; /* the object's, without a NUL */
	size_t length;
	bool is_kernels; /* there is one in the kernel, where no module is asked */
};

struct subset {
	const struct btf *types; /* the kernel's, or the kernel's and those of a module */
	uint32_t first;		 /* of the module's; 1 */
	struct name *names;	 /* owned; of the object's types, sorted */
	size_t n_names;
	/* Of the names that begin with a byte: a bit each, modulo 64. */
	uint64_t lengths[256];
	uint32_t *places; /* owned; in @out, of each of @types; 0: it is left out */
	struct btf *out;  /* owned */
};

static void subset_fini(struct subset *subset)
{
	btf__free(subset->out);
	free(subset->names);
	free(subset->places);
}

/* Its name, if it is one that can be asked for by it (bpf_core_add_cands, libbpf.c); "". */
static const char *name_of(const struct btf *btf, const struct btf_type *type)
{
	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_FWD:
		return btf__name_by_offset(btf, type->name_off);
	}
	return "";
}

/* Of @name without its flavour (bpf_core_essential_name_len, libbpf.c). */
static size_t essential_length(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = n; i-- > 1;)
		if (!strncmp(name + i, "___", 3) && name[i - 1] != '_' && name[i + 3] &&
		    name[i + 3] != '_')
			return i;
	return n;
}

static int names_compare(const void *left, const void *right)
{
	const struct name *a = left, *b = right;

	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return memcmp(a->text, b->text, a->length);
}

static int names_read(struct subset *subset, const struct btf *object)
{
	uint32_t n = btf__type_cnt(object);

	subset->names = calloc(n, sizeof(*subset->names));
	if (!subset->names)
		return -ENOMEM;
	for (uint32_t id = 1; id < n; id++) {
		struct name *name = &subset->names[subset->n_names];

		name->text = name_of(object, btf__type_by_id(object, id));
		name->length = essential_length(name->text);
		if (!name->length)
			continue;
		subset->lengths[(unsigned char)name->text[0]] |= 1ULL
								 << name->length % 64;
		subset->n_names++;
	}
	qsort(subset->names, subset->n_names, sizeof(*subset->names), names_compare);
	return 0;
}

/* The name @text, if it is asked for; NULL. Most of a hundred thousand are told by their first
 * letter and their length. */
static struct name *names_find(const struct subset *subset, const char *text)
{
	struct name name = {.text = text};
	uint64_t lengths = subset->lengths[(unsigned char)text[0]];

	if (!lengths)
		return NULL;
	name.length = strlen(text);
	if (!(lengths >> name.length % 64 & 1))
		return NULL;
	return bsearch(&name, subset->names, subset->n_names, sizeof(name),
		       names_compare);
}

/* The place of type @id in @subset->out, where it is a copy that has the kernel's ids as yet, if it
 * was not there; -errno. */
static int include(struct subset *subset, uint32_t id)
{
	int place;

	if (id && !subset->places[id]) {
		place = btf__add_type(subset->out, subset->types,
				      btf__type_by_id(subset->types, id));
		if (place < 0)
			return place;
		subset->places[id] = place;
	}
	return subset->places[id];
}

/* A place for each of @subset->types; those of the kernel are where they were. */
static int make_places(struct subset *subset)
{
	uint32_t n = btf__type_cnt(subset->types);
	uint32_t *places = reallocarray(subset->places, n, sizeof(*places));

	if (!places)
		return -ENOMEM;
	places[0] = 0; /* void */
	memset(places + subset->first, 0, (n - subset->first) * sizeof(*places));
	subset->places = places;
	return 0;
}

/* Those that are asked for. */
static int choose(struct subset *subset)
{
	uint32_t n = btf__type_cnt(subset->types);
	int err = make_places(subset);

	for (uint32_t id = subset->first; id < n && !err; id++) {
		const struct btf_type *type = btf__type_by_id(subset->types, id);
		struct name *name = names_find(subset, name_of(subset->types, type));

		if (!name || (subset->first > 1 && name->is_kernels))
			continue;
		name->is_kernels = subset->first == 1;
		err = include(subset, id);
		err = err < 0 ? err : 0;
	}
	return err;
}

/* The copy at @place. Ours to change, as what was added by hand: libbpf has no call for it, and
 * bpftool's gen min_core_btf does the same. It moves when another one is added. */
static struct btf_type *copy_at(const struct subset *subset, int place)
{
	return (struct btf_type *)btf__type_by_id(subset->out, place);
}

static int renumber_members(struct subset *subset, int place)
{
	for (int i = 0; i < btf_vlen(copy_at(subset, place)); i++) {
		int type = include(subset, btf_members(copy_at(subset, place))[i].type);

		if (type < 0)
			return type;
		btf_members(copy_at(subset, place))[i].type = type;
	}
	return 0;
}

static int renumber_array(struct subset *subset, int place)
{
	const struct btf_array *array = btf_array(copy_at(subset, place));
	uint32_t of_index = array->index_type;
	int type = include(subset, array->type);
	int index = type < 0 ? type : include(subset, of_index);

	if (index < 0)
		return index;
	btf_array(copy_at(subset, place))->type = type;
	btf_array(copy_at(subset, place))->index_type = index;
	return 0;
}

/* Includes what the copy at @place consists of, and puts places where it has the kernel's ids.
 * What a pointer, or a function, is of is left out. */
static int renumber(struct subset *subset, int place)
{
	struct btf_type *type = copy_at(subset, place);
	int inside;

	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return renumber_members(subset, place);
	case BTF_KIND_ARRAY:
		return renumber_array(subset, place);
	case BTF_KIND_FUNC_PROTO:
		for (int i = 0; i < btf_vlen(type); i++)
			btf_params(type)[i].type = 0;
		type->type = 0;
		return 0;
	case BTF_KIND_PTR:
		type->type = 0;
		return 0;
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		inside = include(subset, type->type);
		if (inside < 0)
			return inside;
		copy_at(subset, place)->type = inside;
	}
	return 0;
}

/* Adds those of @types, which begin with the @first, and what they consist of. */
static int take(struct subset *subset, const struct btf *types, uint32_t first)
{
	uint32_t place = btf__type_cnt(subset->out);
	int err;

	subset->types = types;
	subset->first = first;
	err = choose(subset);
	for (; !err && place < btf__type_cnt(subset->out); place++)
		err = renumber(subset, place);
	return err;
}

/* Adds those of module @name. */
static int take_module(struct subset *subset, struct btf *kernel, const char *name)
{
	struct btf *types = btf__load_module_btf(name, kernel);
	int err;

	if (!types)
		return errno == ENOENT ? 0 : -errno;
	err = take(subset, types, btf__type_cnt(kernel));
	btf__free(types);
	return err;
}

/* All of it in a file in memory. */
static int put_into_memory(const void *data, size_t size, int *out)
{
	AUTO_FD fd = memfd_create("types", MFD_CLOEXEC);
	int err = fd < 0 ? -errno : durable_write(fd, data, size);

	if (!err)
		*out = TAKE_FD(fd);
	return err;
}

int subset_write(struct btf *kernel, const char *const *modules, const struct btf *object,
		 int *fd)
{
	AUTO(subset_fini) struct subset subset = {.out = btf__new_empty()};
	const void *data;
	uint32_t size;
	int err;

	if (!subset.out)
		return errno ? -errno : -ENOMEM;
	err = names_read(&subset, object);
	if (!err)
		err = take(&subset, kernel, 1);
	for (; *modules && !err; modules++)
		err = take_module(&subset, kernel, *modules);
	if (err)
		return err;
	data = btf__raw_data(subset.out, &size);
	return data ? put_into_memory(data, size, fd) : -ENOMEM;
}
