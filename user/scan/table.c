// SPDX-License-Identifier: GPL-2.0-only
#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols.h>

#include "base/auto.h"
#include "base/json.h"
#include "proc/container.h"

enum column {
	COL_DEV,
	COL_INODE,
	COL_TYPE,
	COL_NLINK,
	COL_SIZE,
	COL_ALLOCATED,
	COL_FSTYPE,
	COL_MOUNT,
	COL_CGROUP,
	COL_POD,
	COL_CONTAINER,
	COL_PID,
	COL_COMMAND,
	COL_FD,
	COL_HOLDERS,
	COL_UNLINKED,
	COL_UNLINKER,
	COL_PATH,
	N_COLUMNS,
};

static const struct {
	const char *name;
	bool right;
	bool is_default;
} columns[N_COLUMNS] = {
	[COL_DEV] = {"DEV", true, false},
	[COL_INODE] = {"INODE", true, false},
	[COL_TYPE] = {"TYPE", false, true},
	[COL_NLINK] = {"NLINK", true, true},
	[COL_SIZE] = {"SIZE", true, true},
	[COL_ALLOCATED] = {"ALLOCATED", true, true},
	[COL_FSTYPE] = {"FSTYPE", false, false},
	[COL_MOUNT] = {"MOUNT", false, false},
	[COL_CGROUP] = {"CGROUP", false, false},
	[COL_POD] = {"POD", false, false},
	[COL_CONTAINER] = {"CONTAINER", false, false},
	[COL_PID] = {"PID", true, true},
	[COL_COMMAND] = {"COMMAND", false, true},
	[COL_FD] = {"FD", true, true},
	[COL_HOLDERS] = {"HOLDERS", true, true},
	[COL_UNLINKED] = {"UNLINKED", false, false},
	[COL_UNLINKER] = {"UNLINKER", false, false},
	[COL_PATH] = {"PATH", false, true},
};

const char *table_column_names(void)
{
	static char names[256];
	size_t used = 0;

	for (int i = 0; i < N_COLUMNS; i++)
		used += snprintf(names + used, sizeof(names) - used, "%s%s", i ? "," : "",
				 columns[i].name);
	return names;
}

/* Parses @text into the wanted columns, in their order. -EINVAL for an unknown name. */
static int choose(const char *text, enum column wanted[static 64], size_t *n)
{
	AUTO_FREE char *copy = text ? strdup(text) : NULL;
	char *rest = NULL, *word;

	*n = 0;
	if (text && !copy)
		return -ENOMEM;
	if (!text || text[0] == '+')
		for (int i = 0; i < N_COLUMNS; i++)
			if (columns[i].is_default)
				wanted[(*n)++] = i;
	for (word = copy ? strtok_r(copy, ",", &rest) : NULL; word;
	     word = strtok_r(NULL, ",", &rest)) {
		int i = 0;

		word += *word == '+';
		while (i < N_COLUMNS && strcasecmp(word, columns[i].name))
			i++;
		if (i == N_COLUMNS || *n == 64)
			return -EINVAL;
		wanted[(*n)++] = i;
	}
	return *n ? 0 : -EINVAL;
}

int table_check_columns(const char *text)
{
	enum column wanted[64];
	size_t n;

	return choose(text, wanted, &n);
}

static char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *text, ...)
{
	va_list args;
	char *out;

	va_start(args, text);
	if (vasprintf(&out, text, args) < 0)
		out = NULL;
	va_end(args);
	return out;
}

/* Binary units with one decimal, as ls -h and lsfd write them. */
static char *format_size(uint64_t bytes, bool plain)
{
	static const char units[] = "BKMGTPE";
	double value = bytes;
	int unit = 0;

	if (plain)
		return format("%llu", (unsigned long long)bytes);
	for (; value >= 1024 && units[unit + 1]; unit++)
		value /= 1024;
	return unit ? format("%.1f%c", value, units[unit]) : format("%.0fB", value);
}

static char *format_unlinked(const struct unlinker *unlinker)
{
	char text[31];

	json_format_time(unlinker->when_ns, text);
	return strdup(text);
}

static char *format_fd(const struct holder *holder)
{
	if (holder->kind == RT_HOLDER_FD)
		return format("%d", holder->fd);
	if (holder->kind == RT_HOLDER_LOOP)
		return format("loop%llu", (unsigned long long)holder->loop);
	return strdup(holder_kind_name(holder->kind));
}

/* The pod or the container; NULL none. */
static char *format_container(const struct orphan *orphan, bool pod)
{
	struct container container = {0};
	const char *text;

	if (orphan->cgroup)
		container_of_path(orphan->cgroup, &container);
	text = pod ? container.pod : container.id;
	return *text ? strdup(text) : NULL;
}

/* libsmartcols itself escapes control bytes, as \\xNN. */
static char *cell(const struct orphan *orphan, enum column column, bool bytes)
{
	const struct holder *first = orphan->n_holders ? &orphan->holders[0] : NULL;

	switch (column) {
	case COL_DEV:
		return format("%u:%u", orphan->dev_major, orphan->dev_minor);
	case COL_INODE:
		return format("%llu", (unsigned long long)orphan->ino);
	case COL_TYPE:
		return strdup(orphan_type_name(orphan->mode));
	case COL_NLINK:
		return format("%u", orphan->nlink);
	case COL_SIZE:
		return format_size(orphan->size, bytes);
	case COL_ALLOCATED:
		return format_size(orphan->allocated, bytes);
	case COL_FSTYPE:
		return strdup(orphan->fstype);
	case COL_MOUNT:
		return orphan->mnt_point ? strdup(orphan->mnt_point) : NULL;
	case COL_CGROUP:
		return orphan->cgroup ? strdup(orphan->cgroup) : NULL;
	case COL_POD:
	case COL_CONTAINER:
		return format_container(orphan, column == COL_POD);
	case COL_PID:
		return first && first->pid ? format("%d", first->pid) : NULL;
	case COL_COMMAND:
		return first && first->pid ? strdup(first->comm) : NULL;
	case COL_FD:
		return first ? format_fd(first) : NULL;
	case COL_HOLDERS:
		return format("%zu", orphan->n_holders);
	case COL_UNLINKED:
		return orphan->unlinker.known ? format_unlinked(&orphan->unlinker) : NULL;
	case COL_UNLINKER:
		return orphan->unlinker.known ? strdup(orphan->unlinker.comm) : NULL;
	case COL_PATH:
		return orphan->path ? strdup(orphan->path) : NULL;
	case N_COLUMNS:
		break;
	}
	return NULL;
}

static void auto_table(struct libscols_table **table)
{
	scols_unref_table(*table);
}

static int add_row(struct libscols_table *table, const struct orphan *orphan,
		   const enum column *wanted, size_t n, bool bytes)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		char *text = cell(orphan, wanted[i], bytes);

		if (scols_line_refer_data(line, i, text ? text : strdup("-")))
			return -ENOMEM;
	}
	return 0;
}

int table_print(const struct orphan_set *set, const char *text, bool bytes)
{
	AUTO(auto_table) struct libscols_table *table = scols_new_table();
	enum column wanted[64];
	size_t n;
	int err = choose(text, wanted, &n);

	if (err)
		return err;
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		/* Nothing is cut: a path that is not whole cannot be pasted. */
		int flags = (columns[wanted[i]].right ? SCOLS_FL_RIGHT : 0);

		if (!scols_table_new_column(table, columns[wanted[i]].name, 0, flags))
			return -ENOMEM;
	}
	for (size_t i = 0; i < set->n && !err; i++)
		err = add_row(table, &set->orphans[i], wanted, n, bytes);
	return err ? err : scols_print_table(table);
}
