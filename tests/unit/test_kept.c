/* SPDX-License-Identifier: GPL-2.0-only */
/* What was copied before the freeze is reached in it by what is open of it since: that this is the
 * very file that is told of, whatever its holder did with its fds meanwhile. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "checkpointed.h"
#include "preserve/precopy.h"
#include "preserve/source.h"

#define FIRST  100
#define SECOND 101
#define SPARE  102

/* By the names of the files. */
static mode_t mode_of(char name)
{
	return name == 'a' ? 0604 : 0640;
}

static void make(char letter, int at)
{
	const char name[] = {letter, '\0'};
	int fd = file_make(name, 0);

	MUST(pwrite(fd, &letter, 1, 0) == 1 && !fchmod(fd, mode_of(letter)));
	MUST(!unlink(in_dir(name)) && dup2(fd, at) == at && !close(fd));
}

static void swap(int signal)
{
	(void)signal;
	told->fd = dup2(FIRST, SPARE) == SPARE && dup2(SECOND, FIRST) == FIRST &&
				   dup2(SPARE, SECOND) == SECOND && !close(SPARE)
			   ? 1
			   : -1;
}

static void arrange_two(void)
{
	const struct sigaction action = {.sa_handler = swap, .sa_flags = SA_RESTART};

	make('a', FIRST);
	make('b', SECOND);
	MUST(!sigaction(SIGUSR1, &action, NULL));
}

struct kept {
	struct child child;
	struct manifest manifest;
	struct preserve preserve;
	struct precopies copies;
};

/* Both are copied before, and kept open. */
static bool kept_begin(struct kept *kept)
{
	struct preserve_options options = {.method = METHOD_COPY, .small = true};
	struct timespec barrier;

	*kept = (struct kept){.child = child_scan(arrange_two)};
	options.precopies = &kept->copies;
	MUST(!manifest_begin(&kept->manifest, "/", 1, TEMPLATE_DEFAULT));
	preserve_begin(&kept->preserve, &options, &kept->manifest);
	MUST(!clock_gettime(CLOCK_REALTIME_COARSE, &barrier));
	barrier.tv_sec += 60;
	CHECK_INT(precopy_all(&kept->preserve, &kept->child.set, &barrier, &kept->copies),
		  0);
	return CHECK_INT(kept->copies.n, 2) && CHECK(kept->copies.items[0].src >= 0) &&
	       CHECK(kept->copies.items[1].src >= 0);
}

static void kept_scan(struct kept *kept)
{
	struct target target = {.kind = TARGET_PID, .pid = kept->child.pid};

	orphan_set_fini(&kept->child.set);
	orphan_set_init(&kept->child.set);
	CHECK_INT(procwalk_scan(&target, &kept->child.set), 0);
	orphan_set_sort(&kept->child.set);
}

/* Each is preserved as the one that it is, a by the fd @first. */
static void kept_check(struct kept *kept, int first)
{
	CHECK_INT(preserve_all(&kept->preserve, &kept->child.set), 0);
	CHECK_INT(kept->manifest.n_entries, 2);
	for (size_t i = 0; i < kept->manifest.n_entries; i++) {
		const struct manifest_entry *entry = &kept->manifest.entries[i];
		AUTO_FD fd = open(path_of(entry), O_RDONLY | O_CLOEXEC);
		char byte = 0, name[2] = "";

		MUST(fd >= 0 && pread(fd, &byte, 1, 0) == 1);
		name[0] = byte;
		CHECK_STR(entry->orphan.path, in_dir(name));
		CHECK_INT(entry->orphan.mode, S_IFREG | mode_of(byte));
		CHECK_INT(holder_at(&entry->orphan, 0)->fd,
			  (byte == 'a') == (first == FIRST) ? FIRST : SECOND);
		CHECK_INT(entry->precopy.made, true);
		CHECK_INT(entry->precopy.unchanged, true);
	}
}

static void kept_end(struct kept *kept)
{
	preserve_fini(&kept->preserve);
	precopies_fini(&kept->copies);
	manifest_fini(&kept->manifest);
	child_end(&kept->child);
	CHECK_INT(place_count(), 0);
}

/* It is not closed while the holders wait. */
static void test_kept(void)
{
	struct kept kept;

	if (kept_begin(&kept)) {
		kept_check(&kept, FIRST);
		for (size_t i = 0; i < kept.copies.n; i++)
			CHECK(fcntl(kept.copies.items[i].src, F_GETFD) >= 0);
	}
	kept_end(&kept);
}

/* The scan left it to whoever opens the file. */
static void test_path_unknown(void)
{
	struct kept kept;

	if (kept_begin(&kept)) {
		for (size_t i = 0; i < kept.child.set.n; i++)
			free(TAKE_PTR(kept.child.set.orphans[i].path));
		kept_check(&kept, FIRST);
	}
	kept_end(&kept);
}

/* Each fd is the other file by then. */
static void test_swapped(void)
{
	struct kept kept;

	if (kept_begin(&kept)) {
		MUST(!kill(kept.child.pid, SIGUSR1));
		while (!*(volatile int *)&told->fd)
			sched_yield();
		CHECK_INT(told->fd, 1);
		kept_scan(&kept);
		kept_check(&kept, SECOND);
	}
	kept_end(&kept);
}

/* What is open is another file than the one that it is for, or not where that is. */
static void test_another(void)
{
	struct kept kept;

	if (kept_begin(&kept)) {
		struct precopied *items = kept.copies.items;
		struct orphan *orphan = &kept.child.set.orphans[0];
		struct precopied *copy = precopies_find(&kept.copies, orphan);
		const struct holder *holder = holder_at(orphan, 0);
		struct holder elsewhere = *holder;
		AUTO(source_fini) struct source source = SOURCE_INIT;
		int src = items[0].src;

		MUST(copy);
		CHECK_INT(source_again(orphan, holder, copy->src, &source), 0);
		elsewhere.via.id = holder_mount(orphan, holder) + 1;
		CHECK_INT(source_again(orphan, &elsewhere, copy->src, &source), -ESTALE);
		items[0].src = items[1].src;
		items[1].src = src;
		CHECK_INT(source_again(orphan, holder, copy->src, &source), -ESTALE);
		kept_check(&kept, FIRST);
	}
	kept_end(&kept);
}

int main(void)
{
	static const char *const fstypes[] = {"ext4", "xfs"};

	checkpointed_begin();
	for (size_t i = 0; i < sizeof(fstypes) / sizeof(*fstypes); i++) {
		if (!place_mount(fstypes[i]))
			continue;
		/* mkfs's own. */
		(void)!rmdir(in_place("lost+found"));
		test_kept();
		test_path_unknown();
		test_swapped();
		test_another();
		place_umount();
	}
	return place_end();
}
