/* SPDX-License-Identifier: GPL-2.0-only */
/* The manifest: there and back, what the parser refuses, and the file it is in. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"
#include "base/auto.h"
#include "manifest/manifest.h"
#include "manifest/manifest_file.h"
#include "manifest/template.h"

static char dir[] = "/tmp/relinktrace-manifest-XXXXXX";

static void json_release(json_t **value)
{
	json_decref(*value);
}

#define AUTO_JSON AUTO(json_release) json_t

static struct orphan orphan_make(uint32_t mode, uint64_t ino)
{
	struct orphan orphan = {.dev_major = 254,
				.dev_minor = 1,
				.ino = ino,
				.mode = mode,
				.uid = 1000,
				.gid = 100,
				.fstype = "ext4",
				.path = strdup("/srv/a\xff"),
				.mnt_id = 27,
				.mnt_point = strdup("/srv")};
	struct holder holder = {
		.pid = 7, .comm = "x", .kind = RT_HOLDER_FD, .fd = 3, .pos = 100};

	MUST(!orphan_add_holder(&orphan, &holder));
	return orphan;
}

#define LOCK(type, end)                                                                  \
	"[{\"pid\":1,\"fd\":3,\"access\":\"read\",\"start\":5,\"type\":" type            \
	",\"end\":" end "}]"

#define HOLDER(comm)                                                                     \
	"[{\"kind\":\"exe\",\"pid\":1,\"start_time\":1,\"comm\":\"" comm "\"}]"

#define STORE(path, beside)                                                              \
	"{\"path\":" path ",\"beside\":" beside ",\"dev\":\"8:0\",\"fstype\":\"xfs\"}"

#define OWNER(type, signal)                                                              \
	"[{\"pid\":1,\"fd\":3,\"owner\":null,\"async\":true,\"type\":" type              \
	",\"signal\":" signal "}]"

#define RELINKED(mtime) "{\"ino\":1,\"generation\":null,\"size\":1,\"mtime\":" mtime "}"

static void add_entry(struct manifest *manifest, unsigned int n, uint32_t mode,
		      enum method method)
{
	struct manifest_entry entry = {.n = n,
				       .orphan = orphan_make(mode, 1000 + n),
				       .method = method,
				       .same_inode = method == METHOD_LINK,
				       .mount_root = strdup("/sub")};

	if (n % 2)
		strcpy(entry.fsid, "0123456789abcdef0123456789abcdef");
	if (method != METHOD_RECREATE) {
		char path[RELINK_PATH_MAX];

		MUST(!template_expand(manifest->template, manifest->ktime, n, path));
		entry.relink_path = strdup(path);
		entry.relinked.ino = 2000 + n;
		entry.relinked.has_generation = n % 2;
		entry.relinked.generation = n % 2 ? UINT32_MAX : 0;
		entry.relinked.size = 1ULL << 40;
		entry.relinked.has_mtime = n != 5;
		entry.relinked.mtime = (struct timespec){n == 1 ? -2 : 1 << 30, 1};
	}
	if (S_ISFIFO(mode)) {
		entry.pipe = (struct manifest_pipe){
			.known = true, .capacity = 65536, .data = malloc(3), .size = 3};
		MUST(entry.pipe.data);
		memcpy(entry.pipe.data, "\xff\0x", 3);
	}
	if (n <= 2) {
		struct filelock lock = {.pid = 7,
					.tid = n == 1 ? 8 : 0,
					.fd = 3,
					.type = FILELOCK_POSIX,
					.write = n == 1,
					.start = 5,
					.end = n == 1 ? 9 : FILELOCK_EOF};

		struct fileowner owner = {.pid = 7,
					  .tid = n == 1 ? 8 : 0,
					  .fd = 3,
					  .type = n == 1 ? FILEOWNER_GROUP
							 : FILEOWNER_THREAD,
					  .owner = n == 1 ? 0 : 9,
					  .signal = n == 1 ? 64 : 0,
					  .async = n == 1};

		MUST(!filelocks_add(&entry.locks, &lock));
		MUST(!fileowners_add(&entry.owners, &owner));
	}
	if (S_ISDIR(mode))
		entry.parent =
			(struct manifest_parent){true, 1001, true, UINT32_MAX, n % 2};
	if (S_ISLNK(mode))
		entry.link_target = strdup("to/\xff");
	if (method != METHOD_LINK) {
		entry.has_attributes = true;
		entry.attributes.has_flags = n % 2;
		entry.attributes.flags = n % 2 ? attributes_flags() : 0;
		entry.attributes.has_project = n % 2;
		entry.attributes.project = n % 2 ? UINT32_MAX : 0;
		entry.attributes.hints = n % 2 ? attributes_hints() : 0;
		entry.attributes.extsize = n % 2 ? UINT32_MAX : 0;
		entry.attributes.cowextsize = n % 2 ? 4096 : 0;
		entry.attributes.mtime = (struct timespec){1, 999999999};
		MUST(!attributes_add_xattr(&entry.attributes, strdup("user.\xff"),
					   strdup("value"), 5));
		MUST(!attributes_add_xattr(&entry.attributes, strdup("user.empty"),
					   strdup(""), 0));
	}
	if (method == METHOD_COPY) {
		memset(entry.relinked.sha256, 'e', 64);
		entry.precopy = (struct manifest_precopy){true, 4096, true};
		entry.not_carried = strdup("inode flag nocow");
		entry.bytes_copied = 4096;
		MUST(!manifest_add_step(&entry, METHOD_LINK, ENOENT, "no entry"));
		MUST(!manifest_add_step(&entry, METHOD_CLONE, EOPNOTSUPP, "no clone"));
	}
	MUST(!manifest_add_entry(manifest, &entry));
	CHECK(!entry.relink_path && !entry.orphan.path);
}

/* In the store, which is there then. */
static void add_stored(struct manifest *manifest)
{
	struct manifest_folder folder = {
		.store = true, .dev_major = 8, .ino = 78, .path = strdup(manifest->id)};
	struct manifest_entry *entry;
	char path[RELINK_PATH_MAX];

	manifest->store = (struct store){.path = strdup("/backup/st\xff"),
					 .beside = strdup("st\xff"),
					 .dev_major = 8,
					 .fstype = strdup("xfs")};
	add_entry(manifest, 7, S_IFREG | 0600, METHOD_COPY);
	entry = &manifest->entries[manifest->n_entries - 1];
	entry->store = true;
	free(entry->relink_path);
	free(TAKE_PTR(entry->mount_root));
	MUST(!manifest_name(manifest, true, 7, path));
	entry->relink_path = strdup(path);
	MUST(!manifest_add_folder(manifest, &folder));
}

/* One of everything. */
static void manifest_make(struct manifest *manifest)
{
	struct manifest_failed failed = {.n = 6,
					 .orphan = orphan_make(S_IFREG | 0600, 5),
					 .error = ESTALE,
					 .text = strdup("nobody is found")};
	struct manifest_folder folder = {.dev_major = 254,
					 .dev_minor = 1,
					 .ino = 77,
					 .mount_point = strdup("/srv"),
					 .mount_root = strdup("/sub"),
					 .fsid = "f123456789abcdef0123456789abcdef",
					 .path = strdup("lost\xfe"),
					 .pid = 7,
					 .start_time = 99,
					 .mnt_id = 27};

	MUST(!manifest_begin(manifest, "/a", 5, "lost\xfe/%t-%n"));
	manifest->complete = true;
	add_entry(manifest, 1, S_IFREG | 0640, METHOD_LINK);
	add_entry(manifest, 2, S_IFREG | 06755, METHOD_COPY);
	add_entry(manifest, 3, S_IFDIR | 0700, METHOD_RECREATE);
	add_entry(manifest, 4, S_IFLNK | 0777, METHOD_RECREATE);
	add_entry(manifest, 5, S_IFIFO | 0600, METHOD_LINK);
	MUST(!manifest_add_failed(manifest, &failed));
	MUST(!manifest_add_folder(manifest, &folder));
	add_stored(manifest);
}

static char *text_of(const struct manifest *manifest)
{
	AUTO_JSON *root = manifest_to_json(manifest);
	char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;

	MUST(text);
	return text;
}

/* Written, read and written again, it is the same text. */
static void test_round_trip(void)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(manifest_fini) struct manifest back = {0};
	AUTO_FREE char *text = NULL, *again = NULL, *why = NULL;

	manifest_make(&manifest);
	text = text_of(&manifest);
	CHECK_INT(manifest_parse(text, strlen(text), &back, &why), 0);
	CHECK_STR(why, NULL);
	MUST(back.n_entries == 6 && back.n_failed == 1 && back.n_folders == 2);
	again = text_of(&back);
	CHECK_STR(again, text);
	CHECK_INT(strlen(back.id), 32);
	CHECK_INT(back.ktime, manifest.ktime);
	CHECK(back.created_ns == manifest.created_ns && back.created_ns);
	CHECK_STR(back.entries[1].relink_path, manifest.entries[1].relink_path);
	CHECK_INT(back.entries[1].orphan.mode, S_IFREG | 06755);
	CHECK_INT(back.entries[1].steps[1].error, EOPNOTSUPP);
	CHECK_STR(back.entries[3].link_target, "to/\xff");
	CHECK_STR(back.folders[0].mount_root, "/sub");
	CHECK_STR(back.folders[0].fsid, manifest.folders[0].fsid);
	CHECK_STR(back.entries[0].fsid, manifest.entries[0].fsid);
	CHECK_STR(back.entries[1].fsid, "");
	CHECK(back.entries[5].store && back.folders[1].store && !back.entries[1].store);
	CHECK(strstr(text, "\"fstype\": \"xfs\",\n   \"files\": 1"));
	CHECK(manifest_same_boot(&back));
	back.boot_id[0] ^= 1;
	CHECK(!manifest_same_boot(&back));
}

/* Two checkpoints are told apart. */
static void test_ids_differ(void)
{
	AUTO(manifest_fini) struct manifest a = {0};
	AUTO(manifest_fini) struct manifest b = {0};

	MUST(!manifest_begin(&a, "/", 1, "%n") && !manifest_begin(&b, "/", 1, "%n"));
	CHECK(strcmp(a.id, b.id) != 0);
	CHECK(b.ktime > a.ktime);
}

static void check_parse_refused(const char *text, size_t len, const char *told)
{
	struct manifest out = {.cgroup_id = 4711};
	AUTO_FREE char *why = NULL;

	CHECK_INT(manifest_parse(text, len, &out, &why), -EINVAL);
	CHECK(out.cgroup_id == 4711 && !out.entries && !out.kernel);
	if (!CHECK(why && strstr(why, told)))
		printf("# \"%s\" is not in \"%s\"\n", told, why ? why : "(null)");
}

static void test_malformed(void)
{
	static const char dup[] =
		"{\"schema\": \"relinktrace.manifest/1\", \"id\": \"\", "
		"\"id\": \"\"}";
	AUTO_FREE char *big = calloc(1, MANIFEST_MAX_BYTES + 1);

	MUST(big);
	check_parse_refused("", 0, "line");
	check_parse_refused("[]", 2, "not a manifest");
	check_parse_refused("{}", 2, "not a manifest");
	check_parse_refused("{\"schema\": 1}", 13, "not a manifest");
	check_parse_refused(dup, strlen(dup), "duplicate");
	check_parse_refused("{\"schema\": \"relinktrace.manifest/2\"}", 36, "schema");
	check_parse_refused("{\"schema\": \"a\\u0000b\"}", 22, "u0000");
	check_parse_refused(big, MANIFEST_MAX_BYTES + 1, "longer than");
	memset(big, '[', 100000); /* the parser's stack is not endless */
	check_parse_refused(big, 100000, "depth");
}

/* One fault in an otherwise good manifest: @value at @key of its top (@list is "") or of
 * element @i of @list; NULL removes it. */
struct fault {
	const char *list;
	size_t i;
	const char *key;
	const char *value;
	const char *told; /* what the reason has in it; NULL: the key */
};

static void check_fault(const char *text, const struct fault *fault)
{
	AUTO_JSON *root = json_loads(text, 0, NULL);
	AUTO_FREE char *broken = NULL;
	json_t *object = root;

	if (fault->list[0])
		object = json_array_get(json_object_get(root, fault->list), fault->i);
	MUST(object);
	if (fault->value)
		MUST(!json_object_set_new(object, fault->key,
					  json_loads(fault->value,
						     JSON_DECODE_ANY | JSON_ALLOW_NUL,
						     NULL)));
	else
		MUST(!json_object_del(object, fault->key));
	broken = json_dumps(root, 0);
	MUST(broken);
	check_parse_refused(broken, strlen(broken),
			    fault->told ? fault->told : fault->key);
}

static void test_faults(void)
{
	static const struct fault faults[] = {
		{"", 0, "id", "\"0123456789abcdef0123456789abcdeF\"", NULL},
		{"", 0, "id", "\"01\"", NULL},
		{"", 0, "created_at", "\"today\"", NULL},
		{"", 0, "ktime", "-1", NULL},
		{"", 0, "boot_id", "\"../../../../../../../../../../../..x\"", NULL},
		{"", 0, "kernel", "null", NULL},
		{"", 0, "cgroup", "\"/a\"", NULL},
		{"", 0, "template", "\"../%n\"", NULL},
		{"", 0, "template", "\"no counter\"", NULL},
		{"", 0, "complete", "1", NULL},
		{"", 0, "entries", "{}", NULL},
		{"", 0, "failed", NULL, NULL},
		{"", 0, "folders", "null", NULL},
		{"entries", 0, "dev", "\"254\"", NULL},
		{"entries", 0, "ino", "-1", NULL},
		{"entries", 0, "ino", "1.5", NULL},
		{"entries", 0, "generation", "4294967296", NULL},
		{"entries", 0, "type", "\"file\"", NULL},
		{"entries", 0, "nlink", "\"1\"", NULL},
		{"entries", 0, "size", "9223372036854775808.0", NULL},
		{"entries", 0, "fstype", "\"0123456789abcdef\"", NULL},
		{"entries", 0, "tmpfile", "null", NULL},
		{"entries", 0, "mount", "27", NULL},
		{"entries", 0, "unlinked", "{}", "at"},
		{"entries", 0, "holders", "null", NULL},
		{"entries", 0, "holders", HOLDER("0123456789abcdef"), "comm"},
		{"entries", 0, "n", "0", NULL},
		{"entries", 0, "n", "2", NULL}, /* taken */
		{"entries", 0, "n", "6", NULL}, /* taken by a failed one */
		{"entries", 0, "method", "\"auto\"", NULL},
		{"entries", 0, "method", "\"recreate\"", NULL},
		{"entries", 0, "same_inode", "false", NULL},
		{"entries", 0, "bytes_copied", "-5", NULL},
		{"entries", 0, "steps", "[1,2,3,4,5,6,7,8,9]", NULL},
		{"entries", 0, "mode", "32768", NULL}, /* type bits */
		{"entries", 0, "uid", "4294967296", NULL},
		{"entries", 0, "rdev", "5", NULL},
		{"entries", 0, "mount_root", "\"sub\"", NULL},
		{"entries", 0, "fsid", "\"0123\"", NULL},
		{"entries", 0, "fsid", "\"0123456789abcdef0123456789abcdeF\"", NULL},
		{"entries", 0, "fsid", "null", NULL},
		{"entries", 0, "mount_root", "\"/sub/../..\"", NULL},
		{"entries", 0, "mount_root", "\"/./sub\"", NULL},
		{"entries", 0, "mount_root", "null", NULL},
		{"entries", 0, "relinked", "null", NULL},
		{"entries", 0, "locks", "{}", NULL},
		{"entries", 0, "locks", LOCK("\"fcntl\"", "null"), "type"},
		{"entries", 0, "locks", LOCK("\"posix\"", "4"), "end"},
		{"entries", 0, "owners", "{}", NULL},
		{"entries", 0, "owners", OWNER("\"session\"", "1"), "type"},
		{"entries", 0, "owners", OWNER("\"group\"", "65"), "signal"},
		{"entries", 0, "relinked", RELINKED("1"), "mtime"},
		{"entries", 0, "relinked", RELINKED("\"1.5\""), "mtime"},
		{"entries", 0, "relinked", RELINKED("\"1.1234567890\""), "mtime"},
		{"entries", 0, "relinked", RELINKED("\"9223372036854775808.123456789\""),
		 "mtime"},
		{"entries", 0, "relinked", RELINKED("\" 1.123456789\""), "mtime"},
		{"entries", 1, "same_inode", "true", NULL},
		{"entries", 2, "method", "\"copy\"", NULL},
		{"entries", 3, "target_b64", NULL, "target"},
		{"failed", 0, "errno", "\"ESTALE\"", NULL},
		{"failed", 0, "error", NULL, NULL},
		{"failed", 0, "n", "5", NULL},
		{"folders", 0, "path", "\"/lost+found\"", NULL},
		{"folders", 0, "path", "\"a/../b\"", NULL},
		{"folders", 0, "path", "\"home\"", "folders"},
		{"folders", 0, "path", "\"lost\"", "folders"},
		{"folders", 0, "mount", "{}", "id"},
		{"folders", 0, "holder", "[]", NULL},
		{"", 0, "store", "5", NULL},
		{"", 0, "store", "null", NULL},
		{"", 0, "store", STORE("5", "null"), "path"},
		{"", 0, "store", STORE("\"backup\"", "null"), NULL},
		{"", 0, "store", STORE("\"/a/../b\"", "null"), NULL},
		{"", 0, "store", STORE("\"/a\"", "\"../a\""), NULL},
		{"", 0, "store", STORE("\"/a\"", "\"/a\""), NULL},
		{"entries", 0, "store", "true", NULL}, /* a link */
		{"entries", 1, "store", "true", "relink_path"},
		{"entries", 5, "store", "false", "mount_root"},
		{"entries", 5, "relink_path", "\"x/orphan7\"", NULL},
		{"folders", 1, "path", "\"x\"", "folders"},
		{"folders", 1, "store", "false", "mount"},
	};
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO_FREE char *text = NULL;

	manifest_make(&manifest);
	text = text_of(&manifest);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		check_fault(text, &faults[i]);
}

/* A relink path that leads out of the mount, or was never made by the checkpoint. */
static void test_relink_paths(void)
{
	static const char *const bad[] = {
		"",	"/etc/passwd", "../x",	    "a/../../x",
		"a//b", "a/.",	       "etc/shadow" /* not of the template */};
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO_FREE char *text = NULL;

	manifest_make(&manifest);
	text = text_of(&manifest);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		AUTO_JSON *root = json_loads(text, 0, NULL);
		json_t *entry = json_array_get(json_object_get(root, "entries"), 0);
		AUTO_FREE char *broken = NULL, *value = NULL;

		MUST(!json_object_del(entry, "relink_path_b64"));
		MUST(asprintf(&value, "\"%s\"", bad[i]) > 0);
		MUST(!json_object_set_new(
			entry, "relink_path",
			json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)));
		broken = json_dumps(root, 0);
		MUST(broken);
		check_parse_refused(broken, strlen(broken), "relink_path");
	}
}

/* What a later version adds does not disturb this one. */
static void test_unknown_fields(void)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(manifest_fini) struct manifest back = {0};
	AUTO_FREE char *text = NULL, *more = NULL;
	AUTO_JSON *root = NULL;

	manifest_make(&manifest);
	text = text_of(&manifest);
	root = json_loads(text, 0, NULL);
	json_object_set_new(root, "later", json_array());
	json_object_set_new(json_array_get(json_object_get(root, "entries"), 0), "later",
			    json_true());
	more = json_dumps(root, 0);
	CHECK_INT(manifest_parse(more, strlen(more), &back, NULL), 0);
	CHECK_INT(back.n_entries, 6);
}

static const char *in_dir(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static size_t count_files(void)
{
	AUTO_DIR *stream = opendir(dir);
	size_t n = 0;

	MUST(stream);
	for (struct dirent *entry; (entry = readdir(stream));)
		n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
	return n;
}

static const char other_id[] = "0123456789abcdef0123456789abcdef";

static void test_file(void)
{
	AUTO(manifest_file_fini) struct manifest_file file = MANIFEST_FILE_INIT;
	AUTO(manifest_file_fini) struct manifest_file other = MANIFEST_FILE_INIT;
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(manifest_fini) struct manifest back = {0};
	AUTO_FREE char *why = NULL;
	struct stat st;

	manifest_make(&manifest);
	umask(0);
	CHECK_INT(manifest_file_begin(&file, in_dir("m"), manifest.id, &why), 0);
	CHECK_INT(manifest_file_begin(&other, in_dir("m"), other_id, &why), 0);
	CHECK(stat(in_dir("m"), &st) && errno == ENOENT);
	CHECK_INT(manifest_file_write(&file, &manifest), 0);
	CHECK(stat(in_dir("m"), &st) && errno == ENOENT);
	CHECK_INT(manifest_file_commit(&file), 0);
	CHECK(!stat(in_dir("m"), &st));
	CHECK_INT(st.st_mode & 07777, 0600);
	/* Whoever comes second does not overwrite. */
	CHECK_INT(manifest_file_write(&other, &manifest), 0);
	CHECK_INT(manifest_file_commit(&other), -EEXIST);
	manifest_file_fini(&other);
	CHECK_INT(manifest_file_begin(&other, in_dir("m"), other_id, &why), -EEXIST);
	CHECK(why && strstr(why, "clean"));
	CHECK_INT(count_files(), 1);
	CHECK_INT(manifest_file_read(in_dir("m"), &back, &why), 0);
	CHECK_STR(back.id, manifest.id);
	MUST(!unlink(in_dir("m")));
}

/* Given up, it leaves nothing. */
static void test_file_abandoned(void)
{
	AUTO(manifest_file_fini) struct manifest_file file = MANIFEST_FILE_INIT;

	CHECK_INT(manifest_file_begin(&file, in_dir("m"), other_id, NULL), 0);
	CHECK_INT(count_files(), 1);
	manifest_file_fini(&file);
	CHECK_INT(count_files(), 0);
}

static void test_file_refusals(void)
{
	AUTO(manifest_file_fini) struct manifest_file file = MANIFEST_FILE_INIT;
	AUTO(manifest_fini) struct manifest out = {0};
	AUTO_FREE char *why = NULL;

	CHECK_INT(manifest_file_begin(&file, in_dir("none/m"), other_id, &why), -ENOENT);
	CHECK(why && strstr(why, "none"));
	/* A symbolic link there is not followed, nor replaced. */
	MUST(!symlink("elsewhere", in_dir("link")));
	CHECK_INT(manifest_file_begin(&file, in_dir("link"), other_id, &why), -EEXIST);
	CHECK_INT(count_files(), 1);
	MUST(!unlink(in_dir("link")));
	CHECK_INT(manifest_file_read(in_dir("none"), &out, &why), -ENOENT);
	MUST(!mkfifo(in_dir("fifo"), 0600));
	CHECK_INT(manifest_file_read(in_dir("fifo"), &out, &why), -EINVAL);
	MUST(!unlink(in_dir("fifo")));
	CHECK_INT(manifest_file_read(dir, &out, &why), -EINVAL);
}

int main(void)
{
	MUST(mkdtemp(dir));
	test_round_trip();
	test_ids_differ();
	test_malformed();
	test_faults();
	test_relink_paths();
	test_unknown_fields();
	test_file();
	test_file_abandoned();
	test_file_refusals();
	CHECK(!rmdir(dir));
	return check_done();
}
