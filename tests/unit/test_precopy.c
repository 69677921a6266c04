/* SPDX-License-Identifier: GPL-2.0-only */
/* What is copied before the freeze: when it is known that nothing has changed since. A store
 * to a shared mapping leaves no trace as long as its page was not written back; that it is
 * so at the copy, and that the next store is noticed, is what is looked at here. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "checkpointed.h"
#include "preserve/precopy.h"

#define SIZE 65536

static void arrange_open(void)
{
	static char bytes[SIZE];
	int fd = open(in_dir("a"), O_CREAT | O_RDWR, 0640);

	memset(bytes, 'a', sizeof(bytes));
	MUST(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	MUST(!unlink(in_dir("a")) && !fstat(fd, &told->st));
	told->fd = fd;
}

static struct timespec coarse(void)
{
	struct timespec now;

	MUST(!clock_gettime(CLOCK_REALTIME_COARSE, &now));
	return now;
}

/* Until the clock that files are stamped by has gone on. */
static void await_tick(void)
{
	struct timespec then = coarse(), now;

	do
		now = coarse();
	while (now.tv_sec == then.tv_sec && now.tv_nsec == then.tv_nsec);
}

/* A child's file, mapped by us too. */
struct shared {
	struct child child;
	struct manifest manifest;
	struct preserve preserve;
	struct precopies copies;
	int fd;
	char *map;
};

static void shared_begin(struct shared *shared, enum method method)
{
	struct preserve_options options = {.method = method};
	char link[64];

	*shared = (struct shared){.child = child_scan(arrange_open)};
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", shared->child.pid, told->fd);
	shared->fd = open(link, O_RDWR | O_CLOEXEC);
	MUST(shared->fd >= 0);
	shared->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, shared->fd, 0);
	MUST(shared->map != MAP_FAILED);
	for (int i = 0; i < SIZE; i += 4096)
		shared->map[i] = 'b';
	MUST(!manifest_begin(&shared->manifest, "/", 1, TEMPLATE_DEFAULT));
	preserve_begin(&shared->preserve, &options, &shared->manifest);
}

/* The copy; NULL is a failed check. The barrier is so late that the file is old. */
static const struct precopied *shared_copy(struct shared *shared)
{
	struct timespec barrier = coarse();

	barrier.tv_sec += 60;
	CHECK_INT(precopy_all(&shared->preserve, &shared->child.set, &barrier,
			      &shared->copies),
		  0);
	return CHECK_INT(shared->copies.n, 1) ? &shared->copies.items[0] : NULL;
}

static bool is_unchanged(const struct shared *shared, const struct precopied *copy)
{
	struct stat st;

	MUST(!fstat(shared->fd, &st));
	return precopy_is_unchanged(copy, &shared->child.set.orphans[0], &st);
}

/* Whether the copy has the bytes of the file. */
static bool is_equal(const struct shared *shared, const struct precopied *copy)
{
	static char bytes[SIZE];

	MUST(pread(copy->fd, bytes, SIZE, 0) == SIZE);
	return !memcmp(bytes, shared->map, SIZE);
}

static void shared_end(struct shared *shared)
{
	precopies_fini(&shared->copies);
	munmap(shared->map, SIZE);
	close(shared->fd);
	preserve_fini(&shared->preserve);
	manifest_fini(&shared->manifest);
	child_end(&shared->child);
	CHECK_INT(place_count(), 0);
}

/* The same file of the same filesystem on another mount: what is a name there may not be
 * one here. */
static void check_found_by_mount(const struct shared *shared,
				 const struct precopied *copy)
{
	struct orphan orphan = shared->child.set.orphans[0];

	CHECK(precopies_find(&shared->copies, &orphan) == copy);
	orphan.mnt_id++;
	CHECK(!precopies_find(&shared->copies, &orphan));
}

static void test_untouched(void)
{
	const struct precopied *copy;
	struct shared shared;

	shared_begin(&shared, METHOD_COPY);
	copy = shared_copy(&shared);
	await_tick();
	if (copy) {
		CHECK(copy->trusted);
		CHECK_INT(copy->bytes, SIZE);
		CHECK(is_unchanged(&shared, copy));
		CHECK(is_equal(&shared, copy));
		check_found_by_mount(&shared, copy);
	}
	shared_end(&shared);
}

/* One byte, in a page that was written to before, and no msync(2). */
static void test_stored_after(void)
{
	const struct precopied *copy;
	struct shared shared;
	uint64_t bytes = 0;

	shared_begin(&shared, METHOD_COPY);
	copy = shared_copy(&shared);
	await_tick();
	shared.map[5 * 4096 + 7] = 'c';
	if (copy) {
		CHECK(!is_unchanged(&shared, copy));
		CHECK(!is_equal(&shared, copy));
		CHECK_INT(precopy_update(shared.fd, SIZE, copy->fd, &bytes), 0);
		CHECK_INT(bytes, SIZE); /* compared in pieces of that */
		CHECK(is_equal(&shared, copy));
	}
	shared_end(&shared);
}

/* Written to not long before the barrier: the write may have gone on since. */
static void test_too_young(void)
{
	struct timespec barrier;
	struct shared shared;

	shared_begin(&shared, METHOD_COPY);
	barrier = coarse();
	barrier.tv_sec += PRECOPY_MARGIN;
	CHECK_INT(precopy_all(&shared.preserve, &shared.child.set, &barrier,
			      &shared.copies),
		  0);
	if (CHECK_INT(shared.copies.n, 1)) {
		CHECK(!shared.copies.items[0].trusted);
		CHECK(!is_unchanged(&shared, &shared.copies.items[0]));
	}
	shared_end(&shared);
}

/* Each of what has to be equal, alone. Pure. */
static void test_what_counts(void)
{
	struct holder holder = {.kind = RT_HOLDER_FD};
	struct orphan orphan = {.holders = &holder, .n_holders = 1};
	const struct precopied copy = {
		.trusted = true, .size = 5, .st_dev = 6, .ctime = {7, 8}};
	const struct stat same = {.st_size = 5, .st_dev = 6, .st_ctim = {7, 8}};
	struct precopied doubted = copy;
	struct stat st = same;

	CHECK(precopy_is_unchanged(&copy, &orphan, &same));
	doubted.trusted = false;
	CHECK(!precopy_is_unchanged(&doubted, &orphan, &same));
	st.st_size = 4;
	CHECK(!precopy_is_unchanged(&copy, &orphan, &st));
	st = same;
	st.st_dev = 7;
	CHECK(!precopy_is_unchanged(&copy, &orphan, &st));
	st = same;
	st.st_ctim.tv_sec++;
	CHECK(!precopy_is_unchanged(&copy, &orphan, &st));
	st = same;
	st.st_ctim.tv_nsec++;
	CHECK(!precopy_is_unchanged(&copy, &orphan, &st));
	holder.flags = O_DIRECT;
	CHECK(!precopy_is_unchanged(&copy, &orphan, &same));
	holder = (struct holder){.kind = RT_HOLDER_FLIGHT};
	CHECK(!precopy_is_unchanged(&copy, &orphan, &same));
	holder.kind = RT_HOLDER_MAP;
	CHECK(precopy_is_unchanged(&copy, &orphan, &same));
	orphan.elsewhere = true;
	CHECK(!precopy_is_unchanged(&copy, &orphan, &same));
}

/* One number of one device, which two subvolumes of a btrfs have, and a file that came
 * later: it is the mount and the generation that tell. */
static void test_same_number(void)
{
	struct precopied items[] = {
		{.dev_minor = 9, .ino = 42, .mnt_id = 1, .fd = 4},
		{.dev_minor = 8, .ino = 42, .mnt_id = 1, .fd = 5},
		{.dev_minor = 8, .ino = 42, .mnt_id = 2, .fd = 6},
		{.dev_minor = 8, .ino = 42, .mnt_id = 3, .fd = -1},
		{.dev_minor = 8,
		 .ino = 42,
		 .mnt_id = 1,
		 .has_generation = true,
		 .generation = 7,
		 .fd = 7},
	};
	struct precopies copies = {items, sizeof(items) / sizeof(*items)};
	struct orphan orphan = {.dev_minor = 8, .ino = 42};

	precopies_sort(&copies);
	for (orphan.mnt_id = 1; orphan.mnt_id <= 2; orphan.mnt_id++) {
		const struct precopied *copy = precopies_find(&copies, &orphan);

		CHECK(copy && copy->fd == 4 + orphan.mnt_id);
	}
	/* One that is given away, and none at all. */
	for (; orphan.mnt_id <= 4; orphan.mnt_id++)
		CHECK(!precopies_find(&copies, &orphan));
	orphan.mnt_id = 2;
	orphan.has_generation = true;
	orphan.generation = 7;
	CHECK(!precopies_find(&copies, &orphan));
	orphan.mnt_id = 1;
	CHECK(precopies_find(&copies, &orphan) &&
	      precopies_find(&copies, &orphan)->fd == 7);
	orphan.generation = 8;
	CHECK(!precopies_find(&copies, &orphan));
}

int main(void)
{
	static const char *const fstypes[] = {"ext4", "xfs", "btrfs"};

	checkpointed_begin();
	test_what_counts();
	test_same_number();
	for (size_t i = 0; i < sizeof(fstypes) / sizeof(*fstypes); i++) {
		if (!place_mount(fstypes[i]))
			continue;
		/* mkfs's own. */
		(void)!rmdir(in_place("lost+found"));
		test_untouched();
		test_stored_after();
		test_too_young();
		place_umount();
	}
	return place_end();
}
