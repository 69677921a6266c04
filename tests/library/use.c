/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program that uses each function of librelinktrace, built against an installed copy:
 *
 *   use CGROUP MANIFEST FROZEN DIR
 *
 * FROZEN is a file that says whether the cgroup is frozen. Prints what it found, a line
 * each, and ends at its first failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <relinktrace.h>

#define MUST(condition)                                                                  \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "use: line %d: %s: %s\n", __LINE__, #condition,  \
				rt ? relinktrace_message(rt) : "");                      \
			exit(1);                                                         \
		}                                                                        \
	} while (0)

static struct relinktrace *rt;
static char seen[64];

static int look(void *data)
{
	FILE *file = fopen(data, "re");
	size_t n = file ? fread(seen, 1, sizeof(seen) - 1, file) : 0;

	seen[n] = '\0';
	if (file)
		fclose(file);
	return 0;
}

static int fail(void *data)
{
	(void)data;
	return -1;
}

static void test_list(const char *cgroup)
{
	const char *cgroups[] = {cgroup, NULL}, *none[] = {"/no/such/cgroup", NULL};
	struct relinktrace_list wish = {.size = sizeof(wish), .cgroups = cgroups};
	char *json = NULL, *all = NULL;

	MUST(!relinktrace_list(rt, &wish, &json) && !*relinktrace_message(rt));
	printf("list %s\n", json);
	wish = (struct relinktrace_list){.size = sizeof(wish), .all = 1};
	MUST(relinktrace_list(rt, &wish, &all) >= 0 && strlen(all) >= strlen(json));
	free(json);
	free(all);
	json = NULL;
	wish = (struct relinktrace_list){.size = sizeof(wish), .pid = getpid()};
	MUST(!relinktrace_list(rt, &wish, &json) && strstr(json, "\"orphans\":[]"));
	free(json);
	json = NULL;
	wish = (struct relinktrace_list){.size = sizeof(wish), .cgroups = none};
	MUST(relinktrace_list(rt, &wish, &json) < 0 && !json);
	MUST(strstr(relinktrace_message(rt), "/no/such/cgroup"));
}

/* By a process of its own, into a store. */
static void test_store(const char *cgroup, const char *manifest)
{
	struct relinktrace_checkpoint wish = {.size = sizeof(wish),
					      .cgroup = cgroup,
					      .manifest = manifest,
					      .method = "link",
					      .deadline = 1000};
	struct relinktrace_restore restore = {.size = sizeof(restore),
					      .manifest = manifest};
	struct relinktrace_files *files = NULL;
	struct relinktrace_cleaned cleaned;
	char store[4096], away[4096];

	snprintf(store, sizeof(store), "%s.store", manifest);
	snprintf(away, sizeof(away), "%s.away", manifest);
	wish.store = store;
	MUST(relinktrace_checkpoint(rt, &wish, NULL) == -EINVAL);
	wish.method = NULL;
	wish.deadline = -1;
	MUST(relinktrace_checkpoint(rt, &wish, NULL) == -EINVAL);
	wish.deadline = 1000;
	wish.store_mounts = (const char *const[]){"nowhere", NULL};
	MUST(relinktrace_checkpoint(rt, &wish, NULL) == -EINVAL);
	wish.store_mounts = NULL;
	MUST(!relinktrace_checkpoint(rt, &wish, NULL));
	MUST(!relinktrace_check(rt, &restore) && !rename(store, away));
	MUST(relinktrace_check(rt, &restore) == -ENOENT);
	restore.store = away;
	MUST(!relinktrace_check(rt, &restore));
	MUST(!relinktrace_restore(rt, &restore, &files));
	memset(away, 'x', strlen(away));
	MUST(!relinktrace_files_done(rt, files));
	relinktrace_files_free(files);
	snprintf(away, sizeof(away), "%s.away", manifest);
	MUST(!rename(away, store));
	MUST(!relinktrace_clean(rt, manifest, &cleaned) && cleaned.absent == 2);
	MUST(!unlink(manifest) && !rmdir(store));
}

static void test_checkpoint(const char *cgroup, const char *manifest, char *frozen)
{
	struct relinktrace_checkpoint wish = {.size = sizeof(wish),
					      .cgroup = cgroup,
					      .manifest = manifest,
					      .freeze = 1,
					      .frozen = look,
					      .data = frozen};
	struct relinktrace_checkpoint bad = wish;
	struct {
		struct relinktrace_checkpoint wish;
		long later;
	} later = {.wish = wish, .later = 1};
	struct relinktrace_cleaned cleaned;
	char *json = NULL;

	bad.method = "recreate";
	MUST(relinktrace_checkpoint(rt, &bad, NULL) == -EINVAL);
	later.wish.size = sizeof(later);
	MUST(relinktrace_checkpoint(rt, &later.wish, NULL) == -EINVAL);
	MUST(*relinktrace_message(rt));

	bad = wish;
	bad.frozen = fail;
	bad.method = "copy";
	MUST(relinktrace_checkpoint(rt, &bad, NULL) == RELINKTRACE_PARTLY);
	MUST(!relinktrace_clean(rt, manifest, &cleaned) && cleaned.removed == 2);
	MUST(!unlink(manifest));

	MUST(!relinktrace_checkpoint(rt, &wish, &json));
	printf("manifest %s\nfrozen %s\n", json, seen);
	free(json);
	MUST(relinktrace_checkpoint(rt, &wish, NULL) == -EEXIST);
	MUST(strstr(relinktrace_message(rt), manifest));
}

static void print_file(const struct relinktrace_file *file)
{
	char bytes[17] = "";

	MUST(lseek(file->fd, 0, SEEK_CUR) == (off_t)file->pos);
	MUST(fcntl(file->fd, F_GETFD) == FD_CLOEXEC);
	MUST(pread(file->fd, bytes, 15, 0) == 15);
	printf("file %u %s %d %d %d %llu %s\n", file->n, file->path, (int)file->pid,
	       file->old_fd, (int)file->ofd, (unsigned long long)file->pos, bytes);
}

static void test_restore(const char *manifest, const char *dir)
{
	struct relinktrace_restore wish = {.size = sizeof(wish), .manifest = manifest};
	struct relinktrace_restore none = {.size = sizeof(none),
					   .manifest = "/no/such/manifest"};
	struct relinktrace_files *files = NULL;
	int fd;

	MUST(relinktrace_check(rt, &none) == -ENOENT);
	MUST(strstr(relinktrace_message(rt), "/no/such/manifest"));
	MUST(!relinktrace_check(rt, &wish));
	none = wish;
	none.holder = getpid();
	MUST(relinktrace_restore(rt, &none, &files) == -ESRCH && !files);
	none = wish;
	none.roots = (const char *const[]){"/=/no/such/dir", NULL};
	MUST(relinktrace_restore(rt, &none, &files) == -ENOENT && !files);
	MUST(!relinktrace_write_out(rt, &wish, dir, 1));

	/* Not done: the names are still there. */
	MUST(!relinktrace_restore(rt, &wish, &files));
	relinktrace_files_free(files);
	MUST(!relinktrace_check(rt, &wish));

	MUST(!relinktrace_restore(rt, &wish, &files));
	MUST(relinktrace_files_count(files) == 2 && !relinktrace_files_get(files, 2));
	for (size_t i = 0; i < 2; i++)
		print_file(relinktrace_files_get(files, i));
	fd = relinktrace_files_take(files, 0);
	MUST(fd >= 0 && relinktrace_files_get(files, 0)->fd == -1);
	MUST(relinktrace_files_take(files, 2) == -1);
	MUST(!relinktrace_files_done(rt, files));
	relinktrace_files_free(files);
	MUST(fcntl(fd, F_GETFD) >= 0 && !close(fd));
	MUST(relinktrace_check(rt, &wish) == -ENOENT);
}

static int fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int main(int argc, char **argv)
{
	struct relinktrace_cleaned cleaned;
	int before = fds();

	if (argc != 5)
		return 2;
	MUST(!relinktrace_open(&rt));
	printf("version %s\n", relinktrace_version());
	test_list(argv[1]);
	test_store(argv[1], argv[2]);
	test_checkpoint(argv[1], argv[2], argv[3]);
	test_restore(argv[2], argv[4]);
	MUST(!relinktrace_clean(rt, argv[2], &cleaned));
	printf("cleaned %zu %zu %zu\n", cleaned.removed, cleaned.absent, cleaned.left);
	relinktrace_close(rt);
	rt = NULL;
	MUST(fds() == before);
	return 0;
}
