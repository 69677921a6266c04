/* SPDX-License-Identifier: GPL-2.0-only */
/* A child's orphans, preserved into a manifest. */
#ifndef RELINKTRACE_CHECKPOINTED_H
#define RELINKTRACE_CHECKPOINTED_H

#include "child.h"
#include "place.h"
#include "preserve/preserve.h"
#include "manifest/template.h"

struct checkpointed {
	struct child child;
	struct manifest manifest;
	struct preserve preserve;
};

static inline void checkpoint_preserve(struct checkpointed *run, enum method method,
				       bool stop, const char *template)
{
	struct preserve_options options = {.method = method, .stop = stop};

	MUST(!manifest_begin(&run->manifest, "/", 1, template));
	preserve_begin(&run->preserve, &options, &run->manifest);
	CHECK_INT(preserve_all(&run->preserve, &run->child.set), 0);
}

/* Starts a child in the situation and preserves what it holds. */
static inline void checkpoint(struct checkpointed *run, void (*arrange)(void),
			      enum method method, bool stop)
{
	*run = (struct checkpointed){.child = child_scan(arrange)};
	checkpoint_preserve(run, method, stop, TEMPLATE_DEFAULT);
}

/* The only entry; what is missing is a failed check and an empty one. */
static inline const struct manifest_entry *only_entry(const struct checkpointed *run)
{
	static const struct manifest_entry nothing = {0};

	if (!CHECK_INT(run->manifest.n_entries, 1))
		return &nothing;
	CHECK_INT(run->manifest.n_failed, 0);
	CHECK_INT(run->manifest.complete, true);
	CHECK_INT(run->manifest.entries[0].n, 1);
	return &run->manifest.entries[0];
}

/* The relink path of @entry as we see it. */
static inline const char *path_of(const struct manifest_entry *entry)
{
	return in_place(entry->relink_path ? entry->relink_path : "no relink path");
}

static inline int names_in(const char *folder)
{
	AUTO_DIR *stream = opendir(folder);
	int n = 0;

	MUST(stream);
	while (readdir(stream))
		n++;
	return n - 2;
}

/* How many names are left in the place. */
static inline int place_count(void)
{
	return names_in(place);
}

/* Removes what was made, unless it was kept, and ends the child. */
static inline void checkpoint_end(struct checkpointed *run)
{
	preserve_fini(&run->preserve);
	manifest_fini(&run->manifest);
	child_end(&run->child);
}

static inline void checkpointed_begin(void)
{
	place_begin();
	snprintf(dir, sizeof(dir), "%s", place);
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(told != MAP_FAILED);
}

#endif
