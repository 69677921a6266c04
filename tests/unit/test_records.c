// SPDX-License-Identifier: GPL-2.0-only
/* The holder iterators' binary stream: taken apart, and joined into orphans. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "bpf/records.h"

#include "check.h"

#define FILE_A 0xffff888000001000ULL
#define FILE_B 0xffff888000002000ULL

/* A record of pid 7's fd 3 on inode 42 of device 8:1, with @path, put at @out. Returns
 * its length. */
static size_t put(char *out, const struct rt_holder *base, const char *path)
{
	struct rt_holder record = *base;

	record.path_len = strlen(path);
	record.record_len = sizeof(record) + record.path_len;
	memcpy(out, &record, sizeof(record));
	memcpy(out + sizeof(record), path, record.path_len);
	return record.record_len;
}

/* Records, and what they are joined into. */
struct stream {
	struct orphan_set set;
	struct records_context context;
	char buffer[8192];
	size_t length;
};

static void stream_init(struct stream *stream,
			bool (*is_wanted)(const struct rt_holder *record, void *data))
{
	orphan_set_init(&stream->set);
	stream->context = (struct records_context){
		.set = &stream->set, .self = getpid(), .is_wanted = is_wanted};
	stream->length = 0;
}

static void stream_fini(struct stream *stream)
{
	orphan_set_fini(&stream->set);
}

static void stream_put(struct stream *stream, const struct rt_holder *record,
		       const char *path)
{
	stream->length += put(stream->buffer + stream->length, record, path);
}

static void stream_collect(struct stream *stream)
{
	CHECK(records_parse(stream->buffer, stream->length, records_collect,
			    &stream->context) == (ssize_t)stream->length);
}

static struct rt_holder record_of(void)
{
	return (struct rt_holder){
		.dentry = 0xffff888000000100ULL,
		.inode = 0xffff888000000200ULL,
		.file = FILE_A,
		.files = 0xffff888000003000ULL,
		.ino = 42,
		.size = 10,
		.blocks = 8,
		.pos = 5,
		.start_ns = 1230000000ULL,
		.cgroup_id = 99,
		.dev = 8 << 20 | 1,
		.generation = 17,
		.nlink = 1,
		.pid = 7,
		.fd = 3,
		.open_flags = O_RDWR | O_APPEND,
		.mnt_id = 30,
		.mode = S_IFREG | 0600,
		.kind = RT_HOLDER_FD,
		.flags = RT_HOLDER_CLOEXEC,
		.comm = "prog",
		.fstype = "ext4",
	};
}

static bool is_seven(const struct rt_holder *record, void *data)
{
	(void)data;
	return record->pid == 7;
}

static void test_one(void)
{
	AUTO(stream_fini) struct stream stream;
	struct rt_holder record = record_of();
	struct orphan *orphan;

	stream_init(&stream, NULL);
	/* A name that itself ends like that loses the kernel's suffix only. */
	stream_put(&stream, &record, "/d/x (deleted) (deleted)");
	stream_collect(&stream);
	CHECK(stream.set.n == 1);
	orphan = orphan_set_find_inode(&stream.set, 8, 1, 42, 0);
	CHECK(orphan != NULL);
	CHECK(!strcmp(orphan->path, "/d/x (deleted)"));
	CHECK(orphan->generation == 17 && orphan->allocated == 4096 &&
	      orphan->size == 10);
	CHECK(orphan->n_holders == 1);
	CHECK(orphan->holders[0].pos == 5 && orphan->holders[0].fd == 3);
	CHECK(orphan->holders[0].cloexec);
	CHECK(orphan->holders[0].flags == (O_RDWR | O_APPEND));
	CHECK(orphan->holders[0].start_time == 123);
	CHECK(!orphan->tmpfile && !orphan->elsewhere);
}

static void test_joined(void)
{
	AUTO(stream_fini) struct stream stream;
	struct rt_holder record = record_of();

	stream_init(&stream, is_seven);
	stream_put(&stream, &record, "/a (deleted)");
	record.fd = 4; /* dup */
	stream_put(&stream, &record, "/a (deleted)");
	record.fd = 5;
	record.file = FILE_B; /* opened again, by a second lost name */
	record.dentry += 64;
	stream_put(&stream, &record, "/b (deleted)");
	record.fd = 4; /* another thread of the same table */
	record.file = FILE_A;
	record.tid = 8;
	stream_put(&stream, &record, "/a (deleted)");
	record.kind = RT_HOLDER_MAP;
	record.tid = 0;
	stream_put(&stream, &record, "");
	/* the same process's second mapping */
	stream_put(&stream, &record, "");
	record.pid = 9; /* outside the target */
	record.kind = RT_HOLDER_FD;
	stream_put(&stream, &record, "");
	stream_collect(&stream);
	orphan_set_sort(&stream.set);
	CHECK(stream.set.n == 1);
	CHECK(stream.set.orphans[0].n_holders == 4);
	CHECK(stream.set.orphans[0].n_keys == 2);
	CHECK(stream.set.orphans[0].elsewhere);
	CHECK(stream.set.orphans[0].holders[0].ofd == 1 &&
	      stream.set.orphans[0].holders[1].ofd == 1);
	CHECK(stream.set.orphans[0].holders[2].ofd == 2);
	CHECK(stream.set.orphans[0].holders[3].kind == RT_HOLDER_MAP);
	CHECK(!strcmp(stream.set.orphans[0].path, "/a"));
}

/* Locks are of the inode: whoever of its holders was looked at. */
static void test_locks(void)
{
	for (int locked = 0; locked < 4; locked++) {
		AUTO(stream_fini) struct stream stream;
		struct rt_holder record = record_of();

		stream_init(&stream, NULL);
		for (int i = 0; i < 2; i++) {
			record.lock_context = locked >> i & 1;
			record.fd = i;
			stream_put(&stream, &record, "");
		}
		stream_collect(&stream);
		CHECK(stream.set.n == 1 && stream.set.orphans[0].lockless == !locked);
	}
}

/* What we have open to read it is no way to write to it; all else of ours is. */
static void test_our_own(void)
{
	static const struct {
		int kind;
		uint32_t flags;
		bool elsewhere;
	} cases[] = {
		{RT_HOLDER_FD, O_PATH | O_RDWR, false},
		{RT_HOLDER_FD, O_RDONLY | O_NONBLOCK, false},
		{RT_HOLDER_FD, O_RDWR, true},
		{RT_HOLDER_FD, O_WRONLY, true},
		{RT_HOLDER_MAP, O_RDONLY, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		AUTO(stream_fini) struct stream stream;
		struct rt_holder record = record_of();

		stream_init(&stream, is_seven);
		record.pid = getpid();
		record.kind = cases[i].kind;
		record.open_flags = cases[i].flags;
		stream_put(&stream, &record, "");
		stream_collect(&stream);
		CHECK(stream.set.n == 1 &&
		      stream.set.orphans[0].elsewhere == cases[i].elsewhere);
	}
}

/* What waits in a socket is told by every table that has the socket: once by each. */
static void test_behind(void)
{
	AUTO(stream_fini) struct stream stream;
	struct rt_holder record = record_of();

	stream_init(&stream, NULL);
	record.kind = RT_HOLDER_FLIGHT;
	stream_put(&stream, &record, "");
	stream_put(&stream, &record, ""); /* sent twice */
	record.tid = 8;
	record.files += 64; /* a thread with a copy of the table */
	stream_put(&stream, &record, "");
	stream_collect(&stream);
	CHECK(stream.set.n == 1);
	CHECK(stream.set.orphans[0].n_holders == 2);
}

static void test_outside(void)
{
	AUTO(stream_fini) struct stream stream;
	struct rt_holder record = record_of();

	stream_init(&stream, is_seven);
	record.pid = 9;
	stream_put(&stream, &record, "");
	stream_collect(&stream);
	CHECK(stream.set.n == 1); /* known to be held, by somebody else */
	orphan_set_prune(&stream.set);
	CHECK(stream.set.n == 0);
	CHECK(!orphan_set_find_inode(&stream.set, 8, 1, 42, 0));
}

static void test_tmpfile(void)
{
	AUTO(stream_fini) struct stream stream;
	struct rt_holder record = record_of();

	stream_init(&stream, NULL);
	stream.context.key_is_inode = true;
	record.open_flags = O_TMPFILE | O_RDWR;
	stream_put(&stream, &record, "/#42 (deleted)");
	stream_collect(&stream);
	CHECK(stream.set.orphans[0].tmpfile);
	CHECK(stream.set.orphans[0].keys[0] == record.inode);
}

static void test_broken(void)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	struct records_context context = {.set = &set};
	struct rt_holder record = record_of();
	char buffer[1024];
	size_t length;
	int taken = 0;

	orphan_set_init(&set);
	length = put(buffer, &record, "/a (deleted)");
	/* Cut off anywhere: nothing is taken, nothing is made up. */
	for (size_t i = 0; i < length; i++)
		taken += records_parse(buffer, i, records_collect, &context) != 0;
	CHECK_INT(taken, 0);
	record.path_len = 3;
	record.record_len = sizeof(record) + 4;
	memcpy(buffer, &record, sizeof(record));
	CHECK(records_parse(buffer, sizeof(buffer), records_collect, &context) ==
	      -EBADMSG);
	record.path_len = RT_PATH_MAX + 1;
	record.record_len = sizeof(record) + record.path_len;
	memcpy(buffer, &record, sizeof(record));
	CHECK(records_parse(buffer, sizeof(buffer), records_collect, &context) ==
	      -EBADMSG);
	CHECK(set.n == 0);
	/* Kinds that no task holds come by another way: their members would be taken for
	 * memory of ours. */
	record = record_of();
	for (int kind = 0; kind <= UINT8_MAX; kind++) {
		record.kind = kind;
		length = put(buffer, &record, "/a (deleted)");
		taken += records_parse(buffer, length, records_collect, &context) > 0;
	}
	CHECK_INT(taken, RT_HOLDER_URING);
}

/* More than the index begins with, with colliding numbers on several devices. */
static void test_many(void)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	int found = 0;

	orphan_set_init(&set);
	for (uint64_t i = 0; i < 5000; i++) {
		struct orphan *orphan = orphan_set_at(&set, i % 3, i % 5, i / 15 << 32);
		struct holder holder = {.pid = 1, .fd = i};

		MUST(orphan && !orphan_add_holder(orphan, &holder));
	}
	CHECK_INT(set.n, 5000);
	orphan_set_sort(&set);
	for (uint64_t i = 0; i < 5000; i++) {
		struct orphan *orphan =
			orphan_set_find_inode(&set, i % 3, i % 5, i / 15 << 32, 0);

		found += orphan && orphan->n_holders == 1 &&
			 orphan->holders[0].fd == (int)i;
	}
	CHECK_INT(found, 5000);
}

/* One number in two subvolumes of btrfs: the inode's address tells them apart, also after
 * the index has grown and others have gone. */
static void test_same_number(void)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	struct records_context context = {.set = &set};
	char buffer[1024];

	orphan_set_init(&set);
	for (int i = 1; i <= 40; i++) {
		struct rt_holder record = record_of();
		size_t length;

		record.inode = 0x1000 * (i % 20 + 1);
		record.dentry = 0x100000 * i;
		record.fd = i;
		length = put(buffer, &record, "/a (deleted)");
		MUST(records_parse(buffer, length, records_collect, &context) ==
		     (ssize_t)length);
	}
	CHECK_INT(set.n, 20);
	orphan_set_sort(&set);
	for (size_t i = 0; i < set.n; i++) {
		const struct orphan *orphan = &set.orphans[i];

		CHECK_INT(orphan->n_holders, 2);
		CHECK_INT(orphan->n_keys, 2);
		CHECK(orphan_set_find_inode(&set, orphan->dev_major, orphan->dev_minor,
					    orphan->ino, orphan->inode) == orphan);
	}
	/* Who does not know the address finds one of them; an unknown one learns it. */
	CHECK(orphan_set_find_inode(&set, set.orphans[0].dev_major,
				    set.orphans[0].dev_minor, set.orphans[0].ino, 0));
	MUST(orphan_set_at(&set, 9, 9, 9));
	MUST(orphan_set_at_inode(&set, 9, 9, 9, 0x5000));
	CHECK_INT(set.n, 21);
	CHECK(!orphan_set_find_inode(&set, 9, 9, 9, 0x6000));
}

int main(void)
{
	test_one();
	test_same_number();
	test_joined();
	test_our_own();
	test_locks();
	test_behind();
	test_outside();
	test_tmpfile();
	test_broken();
	test_many();
	return check_done();
}
