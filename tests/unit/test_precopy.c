/* SPDX-License-Identifier: GPL-2.0-only */
/* What is copied before the freeze: when it is known that nothing has changed since. A store
 * to a shared mapping leaves no trace as long as its page was not written back; that it is
 * so at the copy, and that the next store is noticed, is what is looked at here. */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
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
	struct stat st;

	shared_begin(&shared, METHOD_COPY);
	MUST(!fstat(shared.fd, &st));
	barrier = st.st_ctim;
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

/* What is small is given all that it has before the freeze (preserve_options.small). */

static void arrange_small(void)
{
	told->fd = file_make("small", 0);
	MUST(!fchmod(told->fd, 0604) && !fsetxattr(told->fd, "user.x", "1", 1, 0));
	MUST(!unlink(in_dir("small")) && !fstat(told->fd, &told->st));
}

static void arrange_small_mapped(void)
{
	arrange_small();
	MUST(mmap(NULL, 8192, PROT_READ, MAP_SHARED, told->fd, 0) != MAP_FAILED);
}

static void arrange_not_small(void)
{
	arrange_small();
	MUST(!ftruncate(told->fd, PRECOPY_SMALL + 1));
}

struct small {
	struct child child;
	struct manifest manifest;
	struct preserve preserve;
	struct precopies copies;
	int fd; /* of the child's file */
};

/* As many as @n are copied before; the barrier is @later seconds from now. */
static bool small_begin(struct small *small, void (*arrange)(void), int later, size_t n)
{
	struct preserve_options options = {.method = METHOD_COPY, .small = true};
	struct timespec barrier = coarse();
	char link[64];

	*small = (struct small){.child = child_scan(arrange)};
	options.precopies = &small->copies;
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", small->child.pid, told->fd);
	small->fd = open(link, O_RDWR | O_CLOEXEC);
	MUST(small->fd >= 0);
	MUST(!manifest_begin(&small->manifest, "/", 1, TEMPLATE_DEFAULT));
	preserve_begin(&small->preserve, &options, &small->manifest);
	barrier.tv_sec += later;
	CHECK_INT(precopy_all(&small->preserve, &small->child.set, &barrier,
			      &small->copies),
		  0);
	return CHECK_INT(small->copies.n, n);
}

static bool has_times(const struct stat *a, const struct stat *b)
{
	return a->st_atim.tv_sec == b->st_atim.tv_sec &&
	       a->st_atim.tv_nsec == b->st_atim.tv_nsec &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* What was preserved is what the file is now; whether by the copy from before. */
static void small_check(struct small *small, bool unchanged)
{
	const struct manifest_entry *entry;
	char bytes[2][8192], value[2][8] = {"", ""}, *name;
	struct stat now, st;
	AUTO_FD fd = -1;

	MUST(!fstat(small->fd, &now));
	CHECK_INT(preserve_all(&small->preserve, &small->child.set), 0);
	if (!CHECK_INT(small->manifest.n_entries, 1))
		return;
	entry = small->manifest.entries;
	CHECK_INT(entry->precopy.made, small->copies.n == 1);
	CHECK_INT(entry->precopy.unchanged, unchanged);
	name = (char *)path_of(entry);
	MUST(!stat(name, &st));
	CHECK_INT(st.st_mode, now.st_mode);
	CHECK_INT(st.st_size, now.st_size);
	CHECK(has_times(&st, &now));
	fd = open(name, O_RDONLY | O_NOATIME | O_CLOEXEC);
	MUST(fd >= 0);
	CHECK_INT(pread(fd, bytes[0], 8192, 0), 8192);
	CHECK_INT(pread(small->fd, bytes[1], 8192, 0), 8192);
	CHECK(!memcmp(bytes[0], bytes[1], 8192));
	CHECK_INT(fgetxattr(fd, "user.x", value[0], 7),
		  fgetxattr(small->fd, "user.x", value[1], 7));
	CHECK_STR(value[0], value[1]);
	CHECK(entry->has_attributes);
	CHECK_INT(entry->attributes.n_xattrs, *value[1] != '\0');
	CHECK_INT(entry->attributes.atime.tv_nsec, now.st_atim.tv_nsec);
	CHECK_INT(entry->attributes.mtime.tv_nsec, now.st_mtim.tv_nsec);
}

static void small_end(struct small *small)
{
	close(small->fd);
	preserve_fini(&small->preserve);
	precopies_fini(&small->copies);
	manifest_fini(&small->manifest);
	child_end(&small->child);
	CHECK_INT(place_count(), 0);
}

static void nothing(int fd)
{
	(void)fd;
}

static void its_byte(int fd)
{
	MUST(pwrite(fd, "x", 1, 4097) == 1);
}

static void its_mode(int fd)
{
	MUST(!fchmod(fd, 0640));
}

static void its_xattr(int fd)
{
	MUST(!fsetxattr(fd, "user.x", "2", 1, 0));
}

static void its_xattr_gone(int fd)
{
	MUST(!fremovexattr(fd, "user.x"));
}

static void its_times(int fd)
{
	const struct timespec times[] = {{5, 6}, {7, 8}};

	MUST(!futimens(fd, times));
}

static void its_hole(int fd)
{
	MUST(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
}

static void its_room(int fd)
{
	MUST(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 32768));
}

/* A page that nobody had mapped before. */
static void its_store(int fd)
{
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	MUST(map != MAP_FAILED);
	map[4100] = 's';
	MUST(!munmap(map, 8192));
}

static void test_small(void)
{
	static void (*const changes[])(int fd) = {
		nothing,   its_byte, its_mode, its_xattr, its_xattr_gone,
		its_times, its_hole, its_room, its_store,
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct small small;

		if (small_begin(&small, arrange_small, 60, 1)) {
			CHECK(small.copies.items[0].whole);
			await_tick();
			changes[i](small.fd);
			small_check(&small, !i);
		}
		small_end(&small);
	}
}

/* What cannot be trusted later is not copied before at all. */
static void test_not_small(void)
{
	struct small small;

	if (small_begin(&small, arrange_small_mapped, 60, 0))
		small_check(&small, false);
	small_end(&small);
	small_begin(&small, arrange_not_small, 60, 0);
	small_end(&small);
	if (small_begin(&small, arrange_small, PRECOPY_MARGIN, 0))
		small_check(&small, false);
	small_end(&small);
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
		test_small();
		test_not_small();
		place_umount();
	}
	return place_end();
}
