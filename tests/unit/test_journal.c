/* SPDX-License-Identifier: GPL-2.0-only */
/* The journal: what was written is read, what was cut off is told from what is damaged. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "check.h"
#include "journal/journal_file.h"

static char dir[] = "/tmp/relinktrace-journal-XXXXXX";
static char path[64], at_path[80];

static void write_one(struct journal_file *file, struct manifest *manifest)
{
	struct journal_place place = {.dev_major = 8,
				      .dev_minor = 1,
				      .mnt_id = 30,
				      .mount_point = "/m\xff",
				      .mount_root = "/",
				      .fsid = "0123456789abcdef0123456789abcdef",
				      .pid = 7,
				      .start_time = 9};
	struct relink_identity identity = {.type = S_IFREG,
					   .ino = UINT64_MAX,
					   .has_generation = true,
					   .generation = 5};
	struct relink_identity folder = {.type = S_IFDIR};
	struct store store = {.path = (char[]){"/s\xff"},
			      .beside = (char[]){"."},
			      .fstype = (char[]){"xfs"}};
	char own[JOURNAL_OWN_NAME], own_path[80];
	unsigned int number = 9;

	MUST(!manifest_begin(manifest, "/", 1, "t-%n"));
	CHECK_INT(journal_file_begin(file, path, manifest, NULL), 0);
	CHECK_INT(journal_file_place(file, &place, &number), 0);
	CHECK_INT(number, 0);
	CHECK_INT(journal_file_name(file, 0, "a/b \xfe", true, &identity), 0);
	journal_own_name(manifest->id, 3, own);
	snprintf(own_path, sizeof(own_path), "a/%s", own);
	CHECK_INT(journal_file_name(file, 0, own_path, false, &folder), 0);
	CHECK_INT(journal_file_store(file, &store, &number), 0);
	CHECK_INT(number, 1);
	CHECK_INT(journal_file_name(file, 1, "id/orphan1", true, &identity), 0);
	CHECK_INT(journal_file_sync(file), 0);
}

/* All of the journal's file. */
static char *content(size_t *len)
{
	AUTO_FD fd = open(at_path, O_RDONLY);
	char *text = malloc(65536);

	MUST(fd >= 0 && text);
	*len = read(fd, text, 65535);
	text[*len] = '\0';
	return text;
}

static void check_read(const struct journal *journal, const struct manifest *manifest)
{
	CHECK_STR(journal->id, manifest->id);
	CHECK_STR(journal->boot_id, manifest->boot_id);
	CHECK_INT(journal->created_ns, manifest->created_ns);
	if (!CHECK_INT(journal->n_places, 2) || !CHECK_INT(journal->n_names, 3))
		return;
	CHECK_STR(journal->places[0].mount_point, "/m\xff");
	CHECK_INT(journal->places[0].start_time, 9);
	CHECK_STR(journal->places[0].fsid, "0123456789abcdef0123456789abcdef");
	CHECK_STR(journal->names[0].path, "a/b \xfe");
	CHECK(journal->names[0].has_ino && journal->names[0].identity.ino == UINT64_MAX);
	CHECK_INT(journal->names[0].identity.generation, 5);
	CHECK(!journal->names[1].has_ino);
	CHECK_INT(journal->names[1].identity.type, S_IFDIR);
	CHECK_STR(journal->places[0].store.path, NULL);
	CHECK_STR(journal->places[1].store.path, "/s\xff");
	CHECK_STR(journal->places[1].store.beside, ".");
	CHECK_INT(journal->names[2].place, 1);
}

/* Cut off at every byte: never an error, and no line that was not whole. */
static void check_torn(const char *text, size_t len)
{
	bool good = true;

	for (size_t cut = 0; cut <= len; cut++) {
		AUTO(journal_fini) struct journal journal = {0};
		size_t lines = 0;

		for (size_t i = 0; i < cut; i++)
			lines += text[i] == '\n';
		good = good && !journal_parse(text, cut, &journal, NULL) &&
		       !!journal.id[0] + journal.n_places + journal.n_names == lines;
	}
	CHECK(good);
}

/* Any byte changed in a line that a whole one comes after: refused. */
static void check_damaged(char *text, size_t len)
{
	size_t end = len - 1;
	bool good = true;

	while (text[end - 1] != '\n')
		end--;
	for (size_t i = 0; i < end - 1; i++) {
		AUTO(journal_fini) struct journal journal = {0};
		AUTO_FREE char *why = NULL;

		text[i] ^= 1;
		good = good && journal_parse(text, len, &journal, &why) == -EINVAL && why;
		text[i] ^= 1;
	}
	CHECK(good);
}

static void test_round_trip(void)
{
	AUTO(journal_file_fini) struct journal_file file = JOURNAL_FILE_INIT;
	AUTO(journal_file_fini) struct journal_file other = JOURNAL_FILE_INIT;
	AUTO(journal_fini) struct journal journal = {0};
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO_FREE char *text = NULL, *why = NULL;
	struct stat st;
	size_t len;

	write_one(&file, &manifest);
	MUST(!stat(at_path, &st));
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(journal_file_begin(&other, path, &manifest, &why), -EEXIST);
	text = content(&len);
	CHECK_INT(journal_parse(text, len, &journal, &why), 0);
	check_read(&journal, &manifest);
	CHECK(!journal.committing);
	check_torn(text, len);
	check_damaged(text, len);
	journal_file_remove(&file);
	CHECK(stat(at_path, &st) && errno == ENOENT);
}

/* Another process does not get it while its checkpoint lives. */
static void test_lock(void)
{
	AUTO(journal_file_fini) struct journal_file file = JOURNAL_FILE_INIT;
	AUTO(manifest_fini) struct manifest manifest = {0};
	int status;
	pid_t pid;

	write_one(&file, &manifest);
	CHECK_INT(journal_file_commit(&file), 0);
	pid = fork();
	if (!pid) {
		struct journal journal = {0};
		char *why = NULL;
		int fd = -1;

		_exit(journal_file_read(at_path, &journal, &fd, &why) != -EWOULDBLOCK ||
		      !why || !strstr(why, "still at work"));
	}
	MUST(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
	journal_file_fini(&file);
	{
		AUTO(journal_fini) struct journal journal = {0};
		AUTO_FD fd = -1;

		CHECK_INT(journal_file_read(at_path, &journal, &fd, NULL), 0);
		CHECK(journal.committing);
	}
	MUST(!unlink(at_path));
}

/* Another process that added names was killed in the middle of a line. */
static void test_abandon(void)
{
	AUTO(journal_file_fini) struct journal_file file = JOURNAL_FILE_INIT;
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(journal_fini) struct journal journal = {0};
	AUTO_FREE char *text = NULL, *why = NULL;
	size_t len;

	write_one(&file, &manifest);
	MUST(write(file.fd, "01234567 {\"path", 15) == 15);
	CHECK_INT(journal_file_abandon(&file), 0);
	CHECK_INT(journal_file_commit(&file), 0);
	text = content(&len);
	CHECK_INT(journal_parse(text, len, &journal, &why), 0);
	CHECK_STR(why, NULL);
	check_read(&journal, &manifest);
	CHECK(journal.abandoned && journal.committing);
	journal_file_remove(&file);
}

int main(void)
{
	MUST(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/m", dir);
	snprintf(at_path, sizeof(at_path), "%s.journal", path);
	test_round_trip();
	test_lock();
	test_abandon();
	CHECK(!rmdir(dir));
	return check_done();
}
