/* SPDX-License-Identifier: GPL-2.0-only */
/* What comes to the disk after the freeze: it stays open until then, and what does not come
 * there has failed, alone, and has no name. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "checkpointed.h"

static void arrange_two(void)
{
	file_make("a", 0);
	file_make("c", 0);
	MUST(!unlink(in_dir("a")) && !unlink(in_dir("c")));
}

static void begin_late(struct checkpointed *run, const char *template)
{
	struct preserve_options options = {.method = METHOD_COPY, .late = true};

	*run = (struct checkpointed){.child = child_scan(arrange_two)};
	MUST(!manifest_begin(&run->manifest, "/", 1, template));
	preserve_begin(&run->preserve, &options, &run->manifest);
}

static void work_late(struct checkpointed *run)
{
	CHECK_INT(preserve_all(&run->preserve, &run->child.set), 0);
	CHECK_INT(run->manifest.n_entries, 2);
	CHECK_INT(run->preserve.unsynced.n, 2);
}

static void preserve_late(struct checkpointed *run, const char *template)
{
	begin_late(run, template);
	work_late(run);
	if (!strcmp(template, TEMPLATE_DEFAULT))
		CHECK_INT(names_in(in_place("lost+found/checkpoint")), 0);
}

/* Both have their names by now. */
static void check_settled(struct checkpointed *run)
{
	CHECK_INT(preserve_settle(&run->preserve), 0);
	CHECK_INT(run->preserve.unsynced.n, 0);
	CHECK_INT(run->manifest.n_entries, 2);
	CHECK_INT(run->manifest.n_failed, 0);
	CHECK(run->manifest.complete);
	for (size_t i = 0; i < run->manifest.n_entries; i++) {
		const struct manifest_entry *entry = &run->manifest.entries[i];
		char path[RELINK_PATH_MAX];
		struct stat st;

		MUST(!manifest_name(&run->manifest, false, entry->n, path));
		CHECK(entry->relink_path && !strcmp(entry->relink_path, path));
		CHECK(!stat(in_place(path), &st) && st.st_ino == entry->relinked.ino);
	}
}

static void test_settled(void)
{
	struct checkpointed run;

	preserve_late(&run, TEMPLATE_DEFAULT);
	check_settled(&run);
	CHECK_INT(names_in(in_place("lost+found/checkpoint")), 2);
	checkpoint_end(&run);
	CHECK_INT(place_count(), 0);
}

/* Whoever is root in a container can do that when it runs again. */
static void test_folder_removed(void)
{
	struct checkpointed run;

	preserve_late(&run, TEMPLATE_DEFAULT);
	MUST(!rmdir(in_place("lost+found/checkpoint")));
	check_settled(&run);
	checkpoint_end(&run);
	CHECK_INT(place_count(), 0);
}

/* So that the entry has another number, and comes behind the other one. */
static void test_name_taken(void)
{
	char path[RELINK_PATH_MAX];
	struct checkpointed run;

	preserve_late(&run, TEMPLATE_DEFAULT);
	MUST(!manifest_name(&run.manifest, false, 1, path));
	MUST(!mkdir(in_place(path), 0700));
	check_settled(&run);
	if (CHECK_INT(run.manifest.n_entries, 2)) {
		CHECK_INT(run.manifest.entries[0].n, 2);
		CHECK_INT(run.manifest.entries[1].n, 3);
	}
	MUST(!rmdir(in_place(path)));
	checkpoint_end(&run);
	CHECK_INT(place_count(), 0);
}

/* Another checkpoint may take the names, and the numbers were told: they are named at once. */
static void test_without_clock(void)
{
	struct checkpointed run;

	preserve_late(&run, "names/%n");
	CHECK_INT(names_in(in_place("names")), 2);
	check_settled(&run);
	checkpoint_end(&run);
	CHECK_INT(place_count(), 0);
}

/* The files are there before the freeze, and go with the folder that they were made for.
 * @removed: it is. */
static void test_spares(bool removed)
{
	struct checkpointed run;

	begin_late(&run, TEMPLATE_DEFAULT);
	CHECK_INT(preserve_folders(&run.preserve, &run.child.set), 0);
	CHECK_INT(run.preserve.n_spare, 2);
	CHECK_INT(folder_spares(&run.preserve.folders), 2);
	if (removed)
		MUST(!rmdir(in_place("lost+found/checkpoint")));
	work_late(&run);
	CHECK_INT(folder_spares(&run.preserve.folders), 0);
	check_settled(&run);
	checkpoint_end(&run);
	CHECK_INT(place_count(), 0);
}

/* fsync(2) of a pipe is EINVAL. */
static void test_not_on_the_disk(void)
{
	struct checkpointed run;
	int ends[2];

	preserve_late(&run, TEMPLATE_DEFAULT);
	MUST(!pipe2(ends, O_CLOEXEC));
	if (CHECK_INT(run.preserve.unsynced.n, 2)) {
		close(run.preserve.unsynced.files[0].fd);
		run.preserve.unsynced.files[0].fd = ends[1];
	}
	CHECK_INT(preserve_settle(&run.preserve), 0);
	if (CHECK_INT(run.manifest.n_entries, 1))
		CHECK_INT(run.manifest.entries[0].n, 2);
	if (CHECK_INT(run.manifest.n_failed, 1)) {
		CHECK_INT(run.manifest.failed[0].n, 1);
		CHECK_INT(run.manifest.failed[0].error, EINVAL);
		CHECK(strstr(run.manifest.failed[0].text, "its copy"));
	}
	CHECK(!run.manifest.complete);
	CHECK_INT(names_in(in_place("lost+found/checkpoint")), 1);
	close(ends[0]);
	checkpoint_end(&run);
	CHECK_INT(place_count(), 0);
}

int main(void)
{
	checkpointed_begin();
	if (place_mount("tmpfs")) {
		test_settled();
		test_folder_removed();
		test_name_taken();
		test_without_clock();
		test_spares(false);
		test_spares(true);
		test_not_on_the_disk();
		place_umount();
	}
	return place_end();
}
