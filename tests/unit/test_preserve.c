/* SPDX-License-Identifier: GPL-2.0-only */
/* Preserving: which way is taken and why not the others, where the name is made, and that
 * none is left that no manifest has. */
#include <errno.h>
#include <signal.h>
#include <sys/xattr.h>

#include "checkpointed.h"
#include "base/interrupt.h"
#include "preserve/ladder.h"

static const char *fstype;

static void arrange_ab(void)
{
	file_make("a", 0);
	MUST(!link(in_dir("a"), in_dir("b")) && !unlink(in_dir("a")));
}

static void arrange_unlinked(void)
{
	file_make("a", 0);
	MUST(!unlink(in_dir("a")));
}

static void arrange_tmpfile(void)
{
	int fd = open(in_dir("."), O_TMPFILE | O_RDWR, 0640);

	MUST(fd >= 0 && write(fd, "x", 1) == 1 && !fstat(fd, &told->st));
	told->fd = fd;
}

static void arrange_dir(void)
{
	MUST(!mkdir(in_dir("d"), 0751) && !chdir(in_dir("d")) && !rmdir(in_dir("d")));
	MUST(!stat(".", &told->st));
}

static void arrange_fifo(void)
{
	MUST(!mkfifo(in_dir("f"), 0640) && open(in_dir("f"), O_RDWR) >= 0);
	MUST(!unlink(in_dir("f")));
}

static void arrange_fifo_linked(void)
{
	MUST(!mkfifo(in_dir("f"), 0640) && open(in_dir("f"), O_RDWR) >= 0);
	MUST(!link(in_dir("f"), in_dir("g")) && !unlink(in_dir("f")));
}

static void arrange_symlink(void)
{
	MUST(!symlink("to \xff", in_dir("s")));
	MUST(open(in_dir("s"), O_PATH | O_NOFOLLOW) >= 0 && !unlink(in_dir("s")));
}

static void arrange_mapped(void)
{
	int fd = file_make("a", 0);

	MUST(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	MUST(!close(fd) && !unlink(in_dir("a")));
}

static void arrange_two(void)
{
	file_make("a", 0);
	file_make("c", 0);
	MUST(!unlink(in_dir("a")) && !unlink(in_dir("c")));
}

static void test_link(void)
{
	struct checkpointed run;
	const struct manifest_entry *entry;
	char want[128];
	struct stat st;

	checkpoint(&run, arrange_ab, METHOD_AUTO, false);
	entry = only_entry(&run);
	CHECK_INT(entry->method, METHOD_LINK);
	CHECK(entry->same_inode && !entry->bytes_copied && !entry->n_steps);
	snprintf(want, sizeof(want), "lost+found/checkpoint/unlink-at-restart-%08llx-1",
		 (unsigned long long)run.manifest.ktime);
	CHECK_STR(entry->relink_path, want);
	CHECK_STR(entry->mount_root, "/");
	CHECK_STR(entry->orphan.mnt_point, place);
	CHECK(!lstat(path_of(entry), &st));
	CHECK_INT(st.st_ino, run.child.st.st_ino);
	CHECK_INT(entry->relinked.ino, st.st_ino);
	CHECK_INT(st.st_nlink, 2);
	CHECK(!stat(in_place("lost+found"), &st));
	CHECK_INT(st.st_mode & 07777, 0700);
	CHECK(!stat(in_place("lost+found/checkpoint"), &st));
	CHECK_INT(st.st_mode & 07777, 0700);
	CHECK_INT(run.manifest.n_folders, 2);
	/* Not kept: no name, no folder is left, and b is as it was. */
	checkpoint_end(&run);
	CHECK_INT(place_count(), 1);
	CHECK(!stat(in_place("b"), &st));
	CHECK_INT(st.st_nlink, 1);
	MUST(!unlink(in_place("b")));
}

/* The name has the bytes and attributes that the orphan has. */
static void check_contents(const struct manifest_entry *entry)
{
	AUTO_FD fd = open(path_of(entry), O_RDONLY | O_NOFOLLOW);
	char bytes[8192] = "";
	struct stat st;

	if (!CHECK(fd >= 0))
		return;
	CHECK_INT(read(fd, bytes, sizeof(bytes)), 8192);
	CHECK(!memcmp(bytes + 4096, "foo\nbar\n", 8) && !bytes[0] && !bytes[4104]);
	MUST(!fstat(fd, &st));
	CHECK_INT(st.st_mode, S_IFREG | 0640);
	CHECK_INT(st.st_ino, entry->relinked.ino);
	CHECK_INT(st.st_size, entry->relinked.size);
}

/* nlink 0 cannot be linked; who cannot clone copies. */
static void test_nlink_0(void)
{
	bool clones = !strcmp(fstype, "xfs");
	const struct manifest_entry *entry;
	struct checkpointed run;

	checkpoint(&run, arrange_unlinked, METHOD_AUTO, false);
	entry = only_entry(&run);
	CHECK_INT(entry->method, clones ? METHOD_CLONE : METHOD_COPY);
	CHECK(!entry->same_inode);
	CHECK_INT(entry->bytes_copied, clones ? 0 : 4096);
	if (CHECK_INT(entry->n_steps, clones ? 1 : 2)) {
		CHECK_INT(entry->steps[0].method, METHOD_LINK);
		CHECK_INT(entry->steps[0].error, ENOENT);
	}
	if (!clones && entry->n_steps == 2) {
		CHECK_INT(entry->steps[1].method, METHOD_CLONE);
		CHECK_INT(entry->steps[1].error, EOPNOTSUPP);
	}
	CHECK(entry->relinked.ino != run.child.st.st_ino);
	check_contents(entry);
	checkpoint_end(&run);
	CHECK_INT(place_count(), 0);
}

static void test_mapped(void)
{
	struct checkpointed run;

	checkpoint(&run, arrange_mapped, METHOD_COPY, false);
	CHECK_INT(only_entry(&run)->method, METHOD_COPY);
	check_contents(only_entry(&run));
	checkpoint_end(&run);
	CHECK_INT(place_count(), 0);
}

/* A forced method is the only one, and what it leaves behind is taken away. */
static void test_forced(void)
{
	static const struct {
		enum method method;
		int error;
	} cases[] = {{METHOD_LINK, ENOENT}, {METHOD_CLONE, EOPNOTSUPP}};

	for (size_t i = 0; i < 2; i++) {
		struct checkpointed run;

		if (cases[i].method == METHOD_CLONE && !strcmp(fstype, "xfs"))
			continue;
		checkpoint(&run, arrange_unlinked, cases[i].method, false);
		CHECK_INT(run.manifest.n_entries, 0);
		CHECK_INT(run.manifest.complete, false);
		if (CHECK_INT(run.manifest.n_failed, 1)) {
			CHECK_INT(run.manifest.failed[0].error, cases[i].error);
			CHECK(strstr(run.manifest.failed[0].text,
				     method_name(cases[i].method)) != NULL);
			CHECK_INT(run.manifest.failed[0].orphan.ino, run.child.st.st_ino);
		}
		preserve_keep(&run.preserve);
		CHECK(!rmdir(in_place("lost+found/checkpoint")));
		CHECK(!rmdir(in_place("lost+found")));
		checkpoint_end(&run);
	}
}

/* A live O_TMPFILE keeps its own right to be linked, unless its program is to end. */
static void test_tmpfile(void)
{
	struct checkpointed run;
	char link[64];

	checkpoint(&run, arrange_tmpfile, METHOD_AUTO, false);
	CHECK(only_entry(&run)->method != METHOD_LINK);
	CHECK_INT(only_entry(&run)->orphan.tmpfile, true);
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", run.child.pid, told->fd);
	CHECK(!linkat(AT_FDCWD, link, AT_FDCWD, in_place("own"), AT_SYMLINK_FOLLOW));
	CHECK(!unlink(in_place("own")));
	checkpoint_end(&run);
	checkpoint(&run, arrange_tmpfile, METHOD_LINK, false);
	CHECK_INT(run.manifest.n_failed, 1);
	checkpoint_end(&run);
	checkpoint(&run, arrange_tmpfile, METHOD_AUTO, true);
	CHECK_INT(only_entry(&run)->method, METHOD_LINK);
	CHECK_INT(only_entry(&run)->relinked.ino, run.child.st.st_ino);
	checkpoint_end(&run);
	CHECK_INT(place_count(), 0);
}

/* What has no contents leaves no name. */
static void test_recreate(void)
{
	static void (*const cases[])(void) = {arrange_dir, arrange_fifo, arrange_symlink};
	static const uint32_t modes[] = {S_IFDIR | 0751, S_IFIFO | 0640, S_IFLNK | 0777};

	for (size_t i = 0; i < 3; i++) {
		const struct manifest_entry *entry;
		struct checkpointed run;

		checkpoint(&run, cases[i], METHOD_AUTO, false);
		entry = only_entry(&run);
		CHECK_INT(entry->method, METHOD_RECREATE);
		CHECK_STR(entry->relink_path, NULL);
		CHECK_INT(entry->orphan.mode, modes[i]);
		CHECK_STR(entry->link_target, S_ISLNK(modes[i]) ? "to \xff" : NULL);
		CHECK_INT(place_count(), 0);
		checkpoint_end(&run);
	}
}

static void test_fifo_linked(void)
{
	struct checkpointed run;
	struct stat st;

	checkpoint(&run, arrange_fifo_linked, METHOD_AUTO, false);
	CHECK_INT(only_entry(&run)->method, METHOD_LINK);
	CHECK(!lstat(path_of(only_entry(&run)), &st) && S_ISFIFO(st.st_mode));
	checkpoint_end(&run);
	CHECK_INT(place_count(), 1);
	MUST(!unlink(in_place("g")));
}

/* A name that somebody has is left alone, and the next number taken. */
static void test_taken_names(void)
{
	struct checkpointed run = {.child = child_scan(arrange_two)};
	AUTO_FD taken = -1;
	struct stat st;

	MUST(!mkdir(in_place("folder"), 0700));
	taken = open(in_place("folder/x-1"), O_CREAT | O_EXCL | O_WRONLY, 0600);
	MUST(taken >= 0);
	checkpoint_preserve(&run, METHOD_AUTO, false, "folder/x-%n");
	if (CHECK_INT(run.manifest.n_entries, 2)) {
		CHECK_STR(run.manifest.entries[0].relink_path, "folder/x-2");
		CHECK_STR(run.manifest.entries[1].relink_path, "folder/x-3");
		CHECK_INT(run.manifest.entries[1].n, 3);
	}
	CHECK_INT(run.manifest.n_folders, 0);
	checkpoint_end(&run);
	CHECK(!stat(in_place("folder/x-1"), &st) && !st.st_size);
	CHECK_INT(place_count(), 1);
	MUST(!unlink(in_place("folder/x-1")) && !rmdir(in_place("folder")));
}

/* Preserving fails with @error (0: the filesystem's own) and a reason that names @told, and leaves nothing. */
static void check_not_preserved(void (*change)(struct orphan *), int error,
				const char *told_why)
{
	struct checkpointed run = {.child = child_scan(arrange_unlinked)};
	int before = place_count();

	MUST(run.child.set.n == 1);
	if (change)
		change(&run.child.set.orphans[0]);
	checkpoint_preserve(&run, METHOD_AUTO, false, TEMPLATE_DEFAULT);
	CHECK_INT(run.manifest.n_entries, 0);
	CHECK_INT(run.manifest.complete, false);
	if (CHECK_INT(run.manifest.n_failed, 1)) {
		CHECK_INT(run.manifest.failed[0].error,
			  error ?: run.manifest.failed[0].error);
		CHECK_INT(run.manifest.failed[0].n, 1);
		if (!CHECK(strstr(run.manifest.failed[0].text, told_why) != NULL))
			printf("# %s\n", run.manifest.failed[0].text);
	}
	checkpoint_end(&run);
	CHECK_INT(place_count(), before);
}

static void change_holders(struct orphan *orphan)
{
	orphan->n_holders = 0;
	orphan->unattributed = true;
}

static void change_ino(struct orphan *orphan)
{
	orphan->ino++;
}

static void change_type(struct orphan *orphan)
{
	orphan->mode = S_IFIFO | 0600;
}

static void change_generation(struct orphan *orphan)
{
	orphan->has_generation = true;
	orphan->generation ^= 1;
}

static void change_mount(struct orphan *orphan)
{
	AUTO_FD fd = open("/proc", O_PATH);

	MUST(!mount_id_of_fd(fd, &orphan->mnt_id));
	orphan->holders[0].via.id = orphan->mnt_id;
}

static void change_fd(struct orphan *orphan)
{
	orphan->holders[0].fd = 4711;
}

/* The holder has something else by now, in whatever it differs. */
static void test_not_the_orphan(void)
{
	check_not_preserved(change_holders, 0,
			    "nobody is found to hold it; by file handle");
	check_not_preserved(change_ino, ESTALE, "another file");
	check_not_preserved(change_type, ESTALE, "another file");
	check_not_preserved(change_mount, ESTALE, "another file");
	check_not_preserved(change_fd, ENOENT, "process");
	if (!strcmp(fstype, "xfs"))
		check_not_preserved(change_generation, ESTALE, "another file");
}

/* What a container can put in the way of the folder. */
static void test_planted_folders(void)
{
	MUST(!mkdir(in_place("target"), 0700));
	MUST(!symlink("target", in_place("lost+found")));
	check_not_preserved(NULL, ENOTDIR, "lost+found is not a folder");
	MUST(!unlink(in_place("lost+found")) && !mkdir(in_place("lost+found"), 0700));
	MUST(!symlink("../target", in_place("lost+found/checkpoint")));
	check_not_preserved(NULL, ENOTDIR, "lost+found/checkpoint is not a folder");
	MUST(!unlink(in_place("lost+found/checkpoint")));
	MUST(!mkdir(in_place("lost+found/checkpoint"), 0700));
	MUST(!chown(in_place("lost+found/checkpoint"), 1000, 1000));
	check_not_preserved(NULL, EPERM, "belongs to user 1000");
	MUST(!chown(in_place("lost+found/checkpoint"), 0, 0));
	MUST(!mount("other", in_place("lost+found/checkpoint"), "tmpfs", 0, NULL));
	mount_cache_drop();
	check_not_preserved(NULL, EXDEV, "lost+found/checkpoint is on another mount");
	MUST(!umount(in_place("lost+found/checkpoint")));
	mount_cache_drop();
	MUST(!rmdir(in_place("lost+found/checkpoint")));
	MUST(!rmdir(in_place("lost+found")) && !rmdir(in_place("target")));
}

/* A file in the way of a folder, and one put in the place of a name of ours. */
static void test_undo_is_exact(void)
{
	struct checkpointed run;
	char path[4200];
	struct stat st;

	checkpoint(&run, arrange_unlinked, METHOD_COPY, false);
	snprintf(path, sizeof(path), "%s", path_of(only_entry(&run)));
	MUST(!unlink(path));
	MUST(!close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600)));
	/* On a filesystem that gives the number away again only the generation tells. */
	MUST(!stat(path, &st));
	if (st.st_ino == only_entry(&run)->relinked.ino)
		CHECK(only_entry(&run)->relinked.has_generation);
	checkpoint_end(&run);
	CHECK(!stat(path, &st));
	MUST(!unlink(path) && !rmdir(in_place("lost+found/checkpoint")));
	MUST(!rmdir(in_place("lost+found")));
}

/* A signal in the middle: an error, and no name. */
static void test_interrupted(void)
{
	struct checkpointed run = {.child = child_scan(arrange_two)};
	struct preserve_options options = {0};
	int status;
	pid_t pid = fork();

	if (!pid) {
		int ret;

		MUST(!manifest_begin(&run.manifest, "/", 1, TEMPLATE_DEFAULT));
		preserve_begin(&run.preserve, &options, &run.manifest);
		MUST(freopen("/dev/null", "w", stderr));
		interrupt_catch();
		raise(SIGINT);
		ret = preserve_all(&run.preserve, &run.child.set);
		preserve_fini(&run.preserve);
		_exit(ret == -EINTR && !run.manifest.n_entries ? 0 : 1);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
	child_end(&run.child);
	CHECK_INT(place_count(), 0);
}

static void check_ladder(uint32_t mode, uint32_t nlink, enum method forced,
			 const char *want)
{
	struct orphan orphan = {.mode = mode, .nlink = nlink};
	enum method methods[LADDER_STEPS];
	size_t n = ladder_methods(&orphan, forced, false, methods);
	char got[64] = "";

	for (size_t i = 0; i < n; i++) {
		strcat(got, i ? " " : "");
		strcat(got, method_name(methods[i]));
	}
	CHECK_STR(got, want);
}

static void test_ladder(void)
{
	check_ladder(S_IFREG, 0, METHOD_AUTO, "link clone copy");
	check_ladder(S_IFREG, 1, METHOD_AUTO, "link clone copy");
	check_ladder(S_IFREG, 1, METHOD_CLONE, "clone");
	check_ladder(S_IFDIR, 0, METHOD_AUTO, "recreate");
	check_ladder(S_IFDIR, 2, METHOD_LINK, "recreate");
	check_ladder(S_IFIFO, 0, METHOD_COPY, "recreate");
	check_ladder(S_IFIFO, 1, METHOD_AUTO, "link recreate");
	check_ladder(S_IFSOCK, 1, METHOD_COPY, "link recreate");
	check_ladder(S_IFCHR, 0, METHOD_AUTO, "recreate");
	check_ladder(S_IFLNK, 1, METHOD_AUTO, "link recreate");
}

/* Somebody moves the folder of the names away, which takes names all the same: none that
 * is not found from the mount's root is left there, and none is said to be made. */
static void test_moved_folder(void)
{
	struct checkpointed run;
	struct child other;
	const char *moved = in_place("moved");

	checkpoint(&run, arrange_ab, METHOD_AUTO, false);
	other = child_scan(arrange_unlinked);
	MUST(!rename(in_place("lost+found/checkpoint"), moved));
	CHECK_INT(preserve_all(&run.preserve, &other.set), 0);
	CHECK_INT(run.manifest.n_entries, 1);
	if (CHECK_INT(run.manifest.n_failed, 1)) {
		CHECK_INT(run.manifest.failed[0].error, ESTALE);
		CHECK(strstr(run.manifest.failed[0].text, "lost+found/checkpoint"));
	}
	/* It has the first name, and no other. */
	CHECK_INT(names_in(moved), 1);
	MUST(!rename(moved, in_place("lost+found/checkpoint")));
	/* Before the first one, whose pipe it was born with. */
	child_end(&other);
	checkpoint_end(&run);
	CHECK_INT(place_count(), 1);
	MUST(!unlink(in_place("b")));
}

int main(void)
{
	static const char *const fstypes[] = {"tmpfs", "xfs"};

	checkpointed_begin();
	test_ladder();
	for (size_t i = 0; i < sizeof(fstypes) / sizeof(*fstypes); i++) {
		fstype = fstypes[i];
		if (!place_mount(fstype))
			continue;
		test_link();
		test_nlink_0();
		test_mapped();
		test_forced();
		test_tmpfile();
		test_recreate();
		test_fifo_linked();
		test_taken_names();
		test_not_the_orphan();
		test_planted_folders();
		test_undo_is_exact();
		test_interrupted();
		test_moved_folder();
		place_umount();
	}
	return place_end();
}
