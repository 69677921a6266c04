/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of any bytes, times and orphans as JSON, there and back. */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/stat.h>
#include <time.h>

#include "check.h"
#include "base/auto.h"
#include "base/base64.h"
#include "base/json.h"
#include "orphan/orphan_json.h"
#include "orphan/orphan_parse.h"
#include "base/jsonread.h"

static void json_release(json_t **value)
{
	json_decref(*value);
}

#define AUTO_JSON AUTO(json_release) json_t

static void test_base64_vectors(void)
{
	/* RFC 4648, section 10 */
	static const char *const vectors[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		AUTO_FREE char *text =
			base64_encode(vectors[i][0], strlen(vectors[i][0]));
		AUTO_FREE char *bytes = NULL;
		size_t len = 99;

		CHECK_STR(text, vectors[i][1]);
		CHECK_INT(base64_decode(vectors[i][1], &bytes, &len), 0);
		CHECK_STR(bytes, vectors[i][0]);
		CHECK_INT(len, strlen(vectors[i][0]));
	}
}

static void test_base64_all_bytes(void)
{
	AUTO_FREE char *text = NULL, *back = NULL;
	unsigned char bytes[256];
	size_t len = 0;

	for (int i = 0; i < 256; i++)
		bytes[i] = 255 - i;
	text = base64_encode(bytes, sizeof(bytes));
	MUST(text);
	CHECK_INT(base64_decode(text, &back, &len), 0);
	CHECK(len == sizeof(bytes) && !memcmp(back, bytes, len));
}

static void test_base64_refusals(void)
{
	static const char *const bad[] = {
		"Z",	"Zg",	"Zg=",	 "Zh==", "Zm9=", "=m9v", "Z=9v",      "Zg==Zg==",
		"====", "A===", "Zm9v ", "Zm-v", "Zm_v", "Zm\n", "Zm9v\xff=="};
	char untouched = 'x', *bytes = &untouched;
	size_t len = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_INT(base64_decode(bad[i], &bytes, &len), -EINVAL);
	CHECK(bytes == &untouched && len == 7);
}

/* The text that jsontext_bytes() makes of @bytes is @object. */
static void check_written(const json_t *object, const char *bytes)
{
	AUTO(jsontext_fini) struct jsontext text = {0};
	AUTO_JSON *back = NULL;

	jsontext_open(&text, '{');
	jsontext_bytes(&text, "path", bytes);
	jsontext_close(&text, '}');
	CHECK(!text.failed);
	back = json_loadb(text.text, text.length, 0, NULL);
	CHECK(back && json_equal(back, object));
}

/* What json_set_bytes() makes of @bytes: under which key, and whether it comes back. */
static void check_bytes(const char *bytes, const char *key)
{
	AUTO_JSON *object = json_object();
	AUTO_FREE char *back = NULL;

	MUST(object);
	CHECK_INT(json_set_bytes(object, "path", bytes), 0);
	CHECK_INT(json_object_size(object), 1);
	CHECK(json_object_get(object, key) != NULL);
	CHECK_INT(json_get_bytes(object, "path", &back), 0);
	CHECK_STR(back, bytes);
	check_written(object, bytes);
}

static void test_bytes(void)
{
	check_bytes("", "path");
	check_bytes("/a b\n\t\"\\\x01\x7f", "path");
	check_bytes("/\xc3\xa4\xf0\x9f\x90\xa7", "path");
	check_bytes("/\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", "path");
	check_bytes("/\xff", "path_b64");
	check_bytes("/\x80", "path_b64");
	check_bytes("/\xe0\x9f\xbf", "path_b64");     /* an overlong U+07FF */
	check_bytes("/\xf0\x8f\xbf\xbf", "path_b64"); /* an overlong U+FFFF */
	check_bytes("/\xc3", "path_b64");	      /* cut off */
	check_bytes("/\xc0\xaf", "path_b64");	      /* an overlong '/' */
	check_bytes("/\xed\xa0\x80", "path_b64");     /* a surrogate */
	check_bytes("/\xf4\x90\x80\x80", "path_b64"); /* above U+10FFFF */
	check_bytes(NULL, "path");
}

static void check_bytes_refused(const char *text)
{
	AUTO_JSON *object = json_loads(text, JSON_ALLOW_NUL, NULL);
	char untouched = 'x', *bytes = &untouched;

	MUST(object);
	CHECK_INT(json_get_bytes(object, "path", &bytes), -EINVAL);
	CHECK(bytes == &untouched);
}

static void test_bytes_refusals(void)
{
	check_bytes_refused("{\"path\": 7}");
	check_bytes_refused("{\"path\": [\"/a\"]}");
	check_bytes_refused("{\"path\": \"/a\\u0000b\"}");
	check_bytes_refused("{\"path_b64\": null}");
	check_bytes_refused("{\"path_b64\": 7}");
	check_bytes_refused("{\"path_b64\": \"L2E\"}");
	check_bytes_refused("{\"path_b64\": \"L2EA\"}"); /* "/a" and a NUL byte */
	check_bytes_refused("{\"path_b64\": \"L2E=\\u0000\"}");
	check_bytes_refused("{\"path\": null, \"path_b64\": \"L2E=\"}");
	check_bytes_refused("{\"path\": \"/a\", \"path_b64\": \"L2E=\"}");
}

static void test_format_time(void)
{
	char text[31];

	json_format_time(0, text);
	CHECK_STR(text, "1970-01-01T00:00:00.000000000Z");
	json_format_time(1767323045000000006, text);
	CHECK_STR(text, "2026-01-02T03:04:05.000000006Z");
	json_format_time(1709251199999999999, text);
	CHECK_STR(text, "2024-02-29T23:59:59.999999999Z");
	json_format_time(UINT64_MAX, text);
	CHECK_STR(text, "2554-07-21T23:34:33.709551615Z");
}

/* The time that @text is read as; 0 with *@error set where it is refused. */
static uint64_t read_time(const char *text, int *error)
{
	AUTO_JSON *object = json_pack("{s:s}", "at", text);
	struct jsonread reader = {0};
	uint64_t when;

	MUST(object);
	when = jsonread_time(&reader, object, "at");
	*error = reader.error;
	return when;
}

static void test_read_time(void)
{
	static const uint64_t times[] = {0, 1, 999999999, 1709251199999999999,
					 1767323045000000006};
	static const char *const bad[] = {"",
					  "2026-01-02",
					  "2026-01-02T03:04:05Z",
					  "2026-01-02T03:04:05.006Z",
					  "2026-01-02T03:04:05.0000000061",
					  "2026-01-02T03:04:05.000000006z",
					  "2026-01-02t03:04:05.000000006Z",
					  "2026-01-02 03:04:05.000000006Z",
					  "2026-01-02T03:04:05,000000006Z",
					  "2026-01-02T03:04:05.000000006ZZ",
					  " 026-01-02T03:04:05.000000006Z",
					  "+026-01-02T03:04:05.000000006Z",
					  "2026-13-02T03:04:05.000000006Z",
					  "2026-00-02T03:04:05.000000006Z",
					  "2026-11-31T03:04:05.000000006Z",
					  "2023-02-29T03:04:05.000000006Z",
					  "2026-01-00T03:04:05.000000006Z",
					  "2026-01-02T24:00:00.000000006Z",
					  "2026-01-02T03:60:05.000000006Z",
					  "2026-01-02T03:04:60.000000006Z",
					  "1969-12-31T23:59:59.999999999Z",
					  "0000-01-01T00:00:00.000000000Z",
					  "2554-07-21T23:34:33.709551616Z",
					  "9999-12-31T23:59:59.999999999Z"};
	char text[31];
	int error;

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		json_format_time(times[i], text);
		CHECK_INT(read_time(text, &error), times[i]);
		CHECK_INT(error, 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_INT(read_time(bad[i], &error), 0);
		if (!CHECK_INT(error, -EINVAL))
			printf("# \"%s\"\n", bad[i]);
	}
}

/* What a file's times can be: those of RFC 3339 there and back, no other is written. */
static void test_date(void)
{
	static const struct {
		struct timespec when;
		const char *text;
	} dates[] = {
		{{0, 0}, "1970-01-01T00:00:00.000000000Z"},
		{{-1, 999999999}, "1969-12-31T23:59:59.999999999Z"},
		{{-315521755, 123456789}, "1960-01-02T03:04:05.123456789Z"},
		{{-62167219200, 0}, "0000-01-01T00:00:00.000000000Z"},
		{{32503680000, 1}, "3000-01-01T00:00:00.000000001Z"},
		{{253402300799, 999999999}, "9999-12-31T23:59:59.999999999Z"},
	};
	static const struct timespec none[] = {{-62167219201, 999999999},
					       {253402300800, 0},
					       {INT64_MAX, 0},
					       {INT64_MIN, 0},
					       {0, UTIME_OMIT}};

	for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
		AUTO_JSON *object = json_pack("{s:s}", "at", dates[i].text);
		struct jsonread reader = {0};
		struct timespec when = jsonread_date(&reader, object, "at");
		char text[31];

		CHECK_INT(reader.error, 0);
		CHECK_INT(when.tv_sec, dates[i].when.tv_sec);
		CHECK_INT(when.tv_nsec, dates[i].when.tv_nsec);
		CHECK(json_format_date(&when, text));
		CHECK_STR(text, dates[i].text);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		char text[31] = "untouched";

		CHECK(!json_format_date(&none[i], text));
		CHECK_STR(text, "untouched");
	}
}

/* The times are local nowhere. */
static void test_time_zone(void)
{
	char text[31];
	int error;

	setenv("TZ", "Pacific/Chatham", 1);
	tzset();
	json_format_time(1767323045000000006, text);
	CHECK_STR(text, "2026-01-02T03:04:05.000000006Z");
	CHECK_INT(read_time(text, &error), 1767323045000000006);
	unsetenv("TZ");
	tzset();
}

static void check_dev(const char *text, int error, uint32_t want_major,
		      uint32_t want_minor)
{
	AUTO_JSON *object = json_pack("{s:s}", "dev", text);
	struct jsonread reader = {0};
	uint32_t dev_major = 1, dev_minor = 2;

	MUST(object);
	jsonread_dev(&reader, object, "dev", &dev_major, &dev_minor);
	CHECK_INT(reader.error, error);
	CHECK_INT(dev_major, want_major);
	CHECK_INT(dev_minor, want_minor);
}

static void test_dev(void)
{
	static const char *const bad[] = {
		"",	":",	"8",	"8:",  ":1",	"8:1 ",
		" 8:1", "8:+1", "-8:1", "8:a", "8:1:1", "4294967296:1"};

	check_dev("8:1", 0, 8, 1);
	check_dev("0:4294967295", 0, 0, UINT32_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		check_dev(bad[i], -EINVAL, 1, 2);
}

static void check_hex(const char *text, int error, uint64_t want)
{
	AUTO_JSON *object = json_pack("{s:s}", "start", text);
	struct jsonread reader = {0};

	MUST(object);
	CHECK(jsonread_hex(&reader, object, "start") == want);
	CHECK_INT(reader.error, error);
}

static void test_hex(void)
{
	check_hex("7f0012345000", 0, 0x7f0012345000);
	check_hex("ffffffffffffffff", 0, UINT64_MAX);
	check_hex("", -EINVAL, 0);
	check_hex("0x10", -EINVAL, 0);
	check_hex("FF", -EINVAL, 0);
	check_hex("1ffffffffffffffff", -EINVAL, 0);
	check_hex("10 ", -EINVAL, 0);
}

/* The first fault stays, with its place, and nothing is read after it. */
static void test_first_fault(void)
{
	AUTO_JSON *object = json_pack("{s:i,s:s}", "a", 5, "b", "text");
	struct jsonread reader = {.where = "entries[3]"};

	MUST(object);
	CHECK_INT(jsonread_integer(&reader, object, "a", 0, 5), 5);
	CHECK_INT(reader.error, 0);
	CHECK_INT(jsonread_integer(&reader, object, "a", 0, 4), 0);
	CHECK_INT(reader.error, -EINVAL);
	CHECK(strstr(reader.fault, "entries[3].a: ") != NULL);
	CHECK_STR(jsonread_string(&reader, object, "b", 9), NULL);
	CHECK(strstr(reader.fault, "entries[3].a: ") != NULL);
}

static struct orphan orphan_of(struct holder *holders, size_t n)
{
	return (struct orphan){
		.dev_major = 254,
		.dev_minor = 1048575,
		.ino = 4711,
		.has_generation = true,
		.generation = UINT32_MAX,
		.mode = S_IFREG | 0640,
		.nlink = 1,
		.size = 1ULL << 40,
		.allocated = 8192,
		.fstype = "ext4",
		.path = "/srv/\xff\n",
		.tmpfile = true,
		.mnt_id = 27,
		.mnt_ns = UINT32_MAX,
		.mnt_point = "/srv",
		.cgroup = "/a/b",
		.unlinker = {.known = true,
			     .when_ns = 1767323045000000006,
			     .pid = 77,
			     .comm = "rm",
			     .cgroup_id = 5},
		.holders = holders,
		.n_holders = n,
	};
}

static void check_holder(const struct holder *got, const struct holder *want)
{
	CHECK_INT(got->pid, want->pid);
	CHECK_INT(got->tid, want->tid);
	CHECK_INT(got->start_time, want->start_time);
	CHECK(!memcmp(got->comm, want->comm, sizeof(got->comm)));
	CHECK_INT(got->kind, want->kind);
	CHECK_INT(got->fd, want->fd);
	CHECK_INT(got->flags, want->flags);
	CHECK_INT(got->pos, want->pos);
	CHECK_INT(got->cloexec, want->cloexec);
	CHECK_INT(got->ofd, want->ofd);
	CHECK_INT(got->via.id, want->via.id == 27 ? 0 : want->via.id);
	CHECK(!got->via.point == !want->via.point && !got->via.root == !want->via.root);
	if (got->via.point && got->via.root) {
		CHECK_STR(got->via.point, want->via.point);
		CHECK_STR(got->via.root, want->via.root);
	}
	/* Or the loop device, or the mount, which share the place. */
	CHECK(got->map_start == want->map_start);
	if (want->kind == RT_HOLDER_MOUNT)
		CHECK_STR(got->mnt_point, want->mnt_point);
	else
		CHECK(got->map_end == want->map_end);
}

static void test_orphan(void)
{
	struct holder holders[] = {
		{.pid = 7,
		 .tid = 8,
		 .start_time = 99,
		 .comm = "a\xff) R",
		 .kind = RT_HOLDER_FD,
		 .fd = 3,
		 .flags = 0102001,
		 .pos = 1ULL << 40,
		 .cloexec = true,
		 .ofd = 2},
		{.pid = 7, .comm = "x", .kind = RT_HOLDER_FD, .fd = 0},
		{.pid = 9,
		 /* All 16 bytes used, no NUL among them. */
		 .comm = "fifteen bytes 1",
		 .kind = RT_HOLDER_MAP,
		 .fd = -1,
		 .map_start = 0x7f0000000000,
		 .map_end = UINT64_MAX},
		/* The orphan's own mount, and others. */
		{.pid = 9, .comm = "x", .kind = RT_HOLDER_EXE, .fd = -1, .via.id = 27},
		{.pid = 9,
		 .comm = "x",
		 .kind = RT_HOLDER_CWD,
		 .fd = -1,
		 .via = {INT_MAX, "/b\xff", "/sub"}},
		{.pid = 9, .comm = "", .kind = RT_HOLDER_ROOT, .fd = -1},
		{.pid = 9, .comm = "x", .kind = RT_HOLDER_FLIGHT, .fd = 4, .pos = 5},
		{.pid = 9, .comm = "x", .kind = RT_HOLDER_URING, .fd = 4, .flags = 2},
		{.kind = RT_HOLDER_LOOP, .fd = -1, .loop = 1048575},
		{.pid = 9,
		 .comm = "x",
		 .kind = RT_HOLDER_MOUNT,
		 .fd = -1,
		 .mnt_id = INT_MAX,
		 .mnt_point = "/mnt/\xff"},
	};
	const size_t n = sizeof(holders) / sizeof(*holders);
	struct orphan orphan = orphan_of(holders, n);
	AUTO_JSON *object = json_from_orphan(&orphan);
	AUTO(orphan_fini) struct orphan back = {0};
	struct jsonread reader = {0};

	MUST(object);
	json_to_orphan(&reader, object, n, &back);
	CHECK_INT(reader.error, 0);
	CHECK_INT(back.dev_major, 254);
	CHECK_INT(back.dev_minor, 1048575);
	CHECK_INT(back.ino, 4711);
	CHECK(back.has_generation && back.generation == UINT32_MAX);
	CHECK_INT(back.mode, S_IFREG); /* permissions are not part of it */
	CHECK_INT(back.nlink, 1);
	CHECK_INT(back.size, 1LL << 40);
	CHECK_INT(back.allocated, 8192);
	CHECK_STR(back.fstype, "ext4");
	CHECK_STR(back.path, "/srv/\xff\n");
	CHECK(back.tmpfile && !back.unattributed);
	CHECK_INT(back.mnt_id, 27);
	CHECK_INT(back.mnt_ns, UINT32_MAX);
	CHECK_STR(back.mnt_point, "/srv");
	CHECK_STR(back.cgroup, "/a/b");
	CHECK(back.unlinker.known);
	CHECK_INT(back.unlinker.when_ns, 1767323045000000006);
	CHECK_INT(back.unlinker.pid, 77);
	CHECK_STR(back.unlinker.comm, "rm");
	CHECK_INT(back.unlinker.cgroup_id, 5);
	MUST(back.n_holders == n);
	for (size_t i = 0; i < n; i++)
		check_holder(&back.holders[i], &holders[i]);
}

static void check_device_refused(const char *device)
{
	struct holder holder = {.kind = RT_HOLDER_LOOP, .fd = -1};
	struct orphan orphan = {
		.mode = S_IFREG, .mnt_id = -1, .holders = &holder, .n_holders = 1};
	AUTO_JSON *object = json_from_orphan(&orphan);
	AUTO(orphan_fini) struct orphan back = {0};
	struct jsonread reader = {0};

	MUST(object);
	MUST(!json_object_set_new(json_array_get(json_object_get(object, "holders"), 0),
				  "device", json_string(device)));
	json_to_orphan(&reader, object, 1, &back);
	CHECK_INT(reader.error, -EINVAL);
}

static void test_device(void)
{
	static const char *const devices[] = {"",
					      "/dev/loop",
					      "/dev/loop01",
					      "/dev/loop-1",
					      "/dev/loop1 ",
					      "/dev/loop1x",
					      "/dev/sda",
					      "/dev/loop4294967296"};

	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
		check_device_refused(devices[i]);
}

/* Everything that can be unknown is null, and comes back as unknown. */
static void test_orphan_unknown(void)
{
	static const uint32_t types[] = {S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK,
					 S_IFCHR, S_IFBLK, S_IFLNK};
	static const char *const nulls[] = {"generation", "path", "mount", "cgroup",
					    "unlinked"};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct orphan orphan = {
			.mode = types[i], .mnt_id = -1, .unattributed = true};
		AUTO_JSON *object = json_from_orphan(&orphan);
		AUTO(orphan_fini) struct orphan back = {0};
		struct jsonread reader = {0};

		MUST(object);
		for (size_t k = 0; k < sizeof(nulls) / sizeof(*nulls); k++)
			CHECK(json_is_null(json_object_get(object, nulls[k])));
		json_to_orphan(&reader, object, 0, &back);
		CHECK_INT(reader.error, 0);
		CHECK_INT(back.mode, types[i]);
		CHECK(!back.has_generation && !back.path && !back.cgroup);
		CHECK(back.mnt_id == -1 && !back.mnt_point);
		CHECK(back.unattributed && !back.unlinker.known);
	}
}

/* An inode number with the highest bit (overlay's xino, FUSE) stays itself. */
static void test_high_ino(void)
{
	static const uint64_t inos[] = {INT64_MAX, (uint64_t)INT64_MAX + 1,
					(uint64_t)INT64_MAX + 2, UINT64_MAX};

	for (size_t i = 0; i < sizeof(inos) / sizeof(*inos); i++) {
		struct orphan orphan = {.mode = S_IFREG, .mnt_id = -1, .ino = inos[i]};
		AUTO_JSON *object = json_from_orphan(&orphan);
		AUTO(orphan_fini) struct orphan back = {0};
		struct jsonread reader = {0};

		MUST(object);
		json_to_orphan(&reader, object, 0, &back);
		CHECK_INT(reader.error, 0);
		CHECK(back.ino == inos[i]);
	}
}

int main(void)
{
	test_base64_vectors();
	test_base64_all_bytes();
	test_base64_refusals();
	test_bytes();
	test_bytes_refusals();
	test_format_time();
	test_read_time();
	test_date();
	test_time_zone();
	test_dev();
	test_hex();
	test_first_fault();
	test_orphan();
	test_device();
	test_orphan_unknown();
	test_high_ino();
	return check_done();
}
