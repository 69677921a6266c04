/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Freezes a random workload (storm.c) again and again, and compares what relinktrace says
 * with what /proc and the ledger say (truth.h):
 *
 *   freezes [OPTION]... RELINKTRACE LEDGER DIR STOPS CGROUP_DIR [INNER_DIR...]
 *
 *   --map PATH|ID    the map of orphans, pinned or by its number: at every stop it is, on
 *                    the device of DIR, what /proc shows; and as many are in it as its
 *                    counters say were born and not released (not by number)
 *   --unseen         this kernel cannot tell who holds what was sent or registered: that
 *                    is compared in the map, but not in the list
 *   --map-only       do not list
 *   --list-each N    list at every Nth stop only: a list is most of what a stop takes
 *
 * Reads what storm prints, so that it has gone on between two stops. At every stop lists
 * CGROUP_DIR and, in turn, one of the INNER_DIRs. Ends with 1 at the first difference,
 * which it prints as lines with - (truth only) and + (relinktrace only); else says how
 * much was compared.
 */
#include <bpf/bpf.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <sys/wait.h>

#include "../../bpf/relinktrace.h"
#include "difference.h"

#define PATIENCE_MS 120000

#define MAX_CGROUPS 16

static const char *relinktrace, *dir_dev;
static const char *cgroups[MAX_CGROUPS];
static int n_cgroups, map_fd = -1, stats_fd = -1, stop, list_each = 1;
static bool unseen, lists = true;

static struct {
	unsigned long long lists, holders, inodes, unsure, late, incomplete;
} compared;

/* Freezing ---------------------------------------------------------------------- */

static int events[MAX_CGROUPS], freeze_fd;

static bool is_frozen(int fd, bool wanted)
{
	char text[256];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		die("read cgroup.events");
	text[n] = '\0';
	return strstr(text, wanted ? "frozen 1\n" : "frozen 0\n");
}

/* All of them, in case that the inner ones are a little later. */
static void freeze(bool wanted)
{
	if (pwrite(freeze_fd, wanted ? "1" : "0", 1, 0) != 1)
		die("cgroup.freeze");
	for (int i = 0; i < n_cgroups; i++) {
		struct pollfd event = {.fd = events[i], .events = POLLPRI};

		while (!is_frozen(events[i], wanted))
			if (poll(&event, 1, PATIENCE_MS) <= 0)
				die("%s does not become %s", cgroups[i],
				    wanted ? "frozen" : "thawed");
	}
}

/* Waits for @dots that storm prints from now on. */
static void storm_goes_on(unsigned int dots)
{
	static char text[65536];
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	ssize_t n;

	while (poll(&input, 1, 0) == 1 && read(STDIN_FILENO, text, sizeof(text)) > 0)
		;
	while (dots) {
		if (poll(&input, 1, PATIENCE_MS) != 1)
			die("stop %d: the workload stands still", stop);
		n = read(STDIN_FILENO, text, dots);
		if (n <= 0)
			die("stop %d: the workload has ended", stop);
		dots -= n;
	}
}

/* Differences ------------------------------------------------------------------- */

/* In the truth only, and in the list only. */
static struct rows lacking, surplus;

static bool is_behind(const struct row *row)
{
	return strstr(row->holder, ":flight:") || strstr(row->holder, ":uring:");
}

/* Both are sorted; those of holders that are unsure do not count. */
static void rows_compare(const struct rows *is, const struct rows *said)
{
	size_t i = 0, j = 0;

	while (i < is->n || j < said->n) {
		const struct row *a = i < is->n ? &is->rows[i] : NULL;
		const struct row *b = j < said->n ? &said->rows[j] : NULL;
		int order = !a ? 1 : !b ? -1 : row_compare(a, b);

		if (order < 0 && !(unseen && is_behind(a)) &&
		    !has_holder(&truth.unsure, a->holder))
			row_add(&lacking, a->key, a->holder);
		if (order > 0 && !has_holder(&truth.unsure, b->holder))
			row_add(&surplus, b->key, b->holder);
		compared.holders += order == 0;
		i += order <= 0;
		j += order >= 0;
	}
	compared.unsure += truth.unsure.n;
}

/* Differences are those of @lacking that are in the truth still, and all of @surplus. */
static void rows_tell(const char *cgroup)
{
	if (lacking.n)
		compared.late += late_drop(&lacking, cgroup);
	for (size_t i = 0; i < lacking.n; i++)
		differs("-", lacking.rows[i].key, lacking.rows[i].holder);
	for (size_t i = 0; i < surplus.n; i++)
		differs("+", surplus.rows[i].key, surplus.rows[i].holder);
	tasks_tell(&lacking);
	tasks_tell(&surplus);
}

/* The map ----------------------------------------------------------------------- */

/* Whether anything in the truth is on @dev: an own mount of the workload has one. */
static bool has_dev(const struct rows *rows, const char *dev)
{
	size_t len = strlen(dev);

	for (size_t i = 0; i < rows->n; i++)
		if (!strncmp(rows->rows[i].key, dev, len) &&
		    rows->rows[i].key[len] == ' ')
			return true;
	return false;
}

/* What is on a device of the workload, and how much there is in all. */
static void map_read(struct rows *rows, size_t *all)
{
	__u64 key, *last = NULL;

	rows->n = *all = 0;
	while (!bpf_map_get_next_key(map_fd, last, &key)) {
		struct rt_orphan orphan;
		const char *dev;

		last = &key;
		if (bpf_map_lookup_elem(map_fd, &key, &orphan))
			die("the map changes while all is frozen");
		++*all;
		/* the kernel's own number of a device */
		dev = path_of("%u:%u", orphan.dev >> 20, orphan.dev & 0xfffff);
		if (!strcmp(dev, dir_dev) || has_dev(&truth.sure, dev))
			row_add(rows, path_of("%s %llu", dev, orphan.ino),
				path_of("of %s %u, flags %u", orphan.comm, orphan.pid,
					orphan.flags));
	}
	rows_sort(rows);
}

/* What is too much in @said: whether the map still has it a second later, which tells what
 * was missed from what was late. */
static void tell_stayed(const struct rows *said)
{
	static struct rows later;
	size_t all, stayed = 0;

	sleep(1);
	map_read(&later, &all);
	for (size_t i = 0; i < said->n; i++)
		stayed += has_key(&later, said->rows[i].key);
	fprintf(stderr, "a second later %zu of %zu in the map are there\n", stayed,
		said->n);
}

/* As many as were born and not released. */
static void counters_compare(size_t all)
{
	__u32 now = RT_STATS_NOW;
	struct rt_stats stats;

	if (stats_fd >= 0 && !bpf_map_lookup_elem(stats_fd, &now, &stats) &&
	    stats.born - stats.released != all)
		differs("+", "born and not released, and in the map:",
			path_of("%llu, %zu", stats.born - stats.released, all));
}

/* Inodes only: the map knows no holders. */
static void map_compare(void)
{
	static struct rows said;
	size_t all;

	truth.inodes_only = true;
	truth_of_cgroup(cgroups[0]);
	map_read(&said, &all);
	counters_compare(all);
	lacking.n = surplus.n = 0;
	for (size_t i = 0; i < truth.sure.n; i++) {
		const struct row *row = &truth.sure.rows[i];

		compared.inodes += !i || strcmp(row->key, row[-1].key);
		if (!has_key(&said, row->key))
			row_add(&lacking, row->key, row->holder);
	}
	for (size_t i = 0; i < said.n; i++)
		if (!has_key(&truth.sure, said.rows[i].key) &&
		    !has_key(&truth.unsure, said.rows[i].key))
			row_add(&surplus, said.rows[i].key, said.rows[i].holder);
	rows_tell(cgroups[0]);
	if (differences)
		tell_stayed(&said);
}

/* Lists ------------------------------------------------------------------------- */

static char *list_run(const char *cgroup, size_t *len)
{
	static char *text;
	static size_t room;
	int out[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		die("pipe2");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		dup2(out[1], STDOUT_FILENO);
		execl(relinktrace, "relinktrace", "list", "--cgroup", cgroup, "-j",
		      (char *)NULL);
		die("exec %s", relinktrace);
	}
	close(out[1]);
	for (*len = 0;; *len += n) {
		if (room - *len < 65536)
			text = realloc(text, room += 1 << 20);
		if (!text)
			die("realloc");
		n = read(out[0], text + *len, room - *len);
		if (n <= 0)
			break;
	}
	close(out[0]);
	if (waitpid(pid, &status, 0) != pid ||
	    (status && !(WIFEXITED(status) && WEXITSTATUS(status) == 3)))
		differs("+", "list ended with status", path_of("%#x", status));
	return text;
}

static const char *holder_text(json_t *holder)
{
	const char *kind = json_string_value(json_object_get(holder, "kind"));
	int pid = json_integer_value(json_object_get(holder, "pid"));
	int tid = json_integer_value(json_object_get(holder, "tid"));
	int fd = json_integer_value(json_object_get(holder, "fd"));

	if (!strcmp(kind, "fd"))
		return path_of("%d/%d:fd:%d:%llu:%u:%d", pid, tid, fd,
			       json_integer_value(json_object_get(holder, "pos")),
			       (unsigned int)json_integer_value(
				       json_object_get(holder, "flags")),
			       json_is_true(json_object_get(holder, "cloexec")));
	if (!strcmp(kind, "flight") || !strcmp(kind, "uring"))
		return path_of("%d/%d:%s:%d", pid, tid, kind, fd);
	return path_of("%d:%s", pid, kind);
}

static void orphan_read(json_t *orphan, struct rows *rows)
{
	json_t *holders = json_object_get(orphan, "holders"), *holder;
	char key[48];
	size_t i;

	snprintf(key, sizeof(key), "%s %lld",
		 json_string_value(json_object_get(orphan, "dev")),
		 json_integer_value(json_object_get(orphan, "ino")));
	json_array_foreach(holders, i, holder) row_add(rows, key, holder_text(holder));
	/* What only the ledger knows of, where the kernel cannot tell. */
	if (!json_array_size(holders) && !has_key(&truth.unsure, key) &&
	    !(unseen && has_key(&truth.sure, key)))
		differs("+", key, "without a holder");
}

static void list_compare(const char *cgroup)
{
	static struct rows said;
	json_error_t error;
	json_t *list, *orphan;
	size_t len, i;
	char *text;

	truth.inodes_only = false;
	truth_of_cgroup(cgroup);
	text = list_run(cgroup, &len);
	said.n = 0;
	list = json_loadb(text, len, 0, &error);
	if (!list) {
		differs("+", "no JSON:", error.text);
		return;
	}
	json_array_foreach(json_object_get(list, "orphans"), i, orphan)
		orphan_read(orphan, &said);
	rows_sort(&said);
	lacking.n = surplus.n = 0;
	rows_compare(&truth.sure, &said);
	rows_tell(cgroup);
	/* That it may lack something is no difference, if it does not; what is unseen it lacks. */
	if (!json_is_true(json_object_get(list, "complete")) &&
	    (unseen || json_integer_value(json_object_get(list, "lost"))))
		compared.incomplete++;
	else if (!json_is_true(json_object_get(list, "complete")) ||
		 json_integer_value(json_object_get(list, "lost")))
		differs("+", "not complete and nothing lost, or the reverse", "");
	json_decref(list);
	compared.lists++;
}

/* ------------------------------------------------------------------------------- */

static void compare(void)
{
	const char *inner =
		n_cgroups > 1 ? cgroups[1 + stop / list_each % (n_cgroups - 1)] : NULL;

	if (map_fd >= 0)
		map_compare();
	if (lists && stop % list_each == 0) {
		list_compare(cgroups[0]);
		if (inner)
			list_compare(inner);
	}
	if (!differences)
		return;
	fprintf(stderr, "freezes: %d differences at stop %d, in %s or %s\n", differences,
		stop, cgroups[0], inner ? inner : "it");
	exit(1);
}

static void map_open(const char *name)
{
	static const char map[] = "rt_orphans";
	size_t len = strlen(name);

	map_fd = name[0] == '/' ? bpf_obj_get(name) : bpf_map_get_fd_by_id(atoi(name));
	if (map_fd < 0)
		die("map %s", name);
	if (name[0] != '/' || len < strlen(map))
		return;
	stats_fd =
		bpf_obj_get(path_of("%.*srt_stats_map", (int)(len - strlen(map)), name));
	if (stats_fd < 0)
		die("the counters beside %s", name);
}

static void options_read(int argc, char **argv)
{
	static const struct option options[] = {
		{"map", required_argument, NULL, 'm'},
		{"unseen", no_argument, NULL, 'u'},
		{"map-only", no_argument, NULL, 'o'},
		{"list-each", required_argument, NULL, 'e'},
		{0}};
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == 'm')
			map_open(optarg);
		else if (option == 'u')
			unseen = true;
		else if (option == 'o')
			lists = false;
		else if (option == 'e' && atoi(optarg) > 0)
			list_each = atoi(optarg);
		else
			exit(2);
	}
	if (argc - optind < 5 || argc - optind > 4 + MAX_CGROUPS) {
		fprintf(stderr, "usage: freezes [OPTION]... RELINKTRACE LEDGER DIR STOPS "
				"CGROUP_DIR [INNER_DIR...]\n");
		exit(2);
	}
}

static const char *dev_of(const char *path)
{
	const struct seen_mount *mount;
	struct statx is;

	if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &is))
		die("statx %s", path);
	mount = mount_seen(getpid(), getpid(), is.stx_mnt_id);
	if (!mount)
		die("the mount of %s", path);
	return strdup(mount->dev);
}

int main(int argc, char **argv)
{
	int stops;

	options_read(argc, argv);
	argv += optind;
	argc -= optind;
	relinktrace = argv[0];
	truth.ledger = ledger_map(argv[1]);
	truth.ledger_dev = dir_dev = dev_of(argv[2]);
	stops = atoi(argv[3]);
	n_cgroups = argc - 4;
	freeze_fd = open_or_die(path_of("%s/cgroup.freeze", argv[4]), O_WRONLY);
	for (int i = 0; i < n_cgroups; i++) {
		cgroups[i] = argv[4 + i];
		events[i] =
			open_or_die(path_of("%s/cgroup.events", cgroups[i]), O_RDONLY);
	}
	for (stop = 1; stop <= stops; stop++) {
		storm_goes_on(1 + stop * 7 % 13);
		freeze(true);
		compare();
		freeze(false);
	}
	printf("%d freezes, 0 differences: %llu inodes of the map, %llu holders in %llu "
	       "lists (%llu holdings unsure, %llu of tasks that died while frozen, "
	       "%llu lists possibly not complete)\n",
	       stops, compared.inodes, compared.holders, compared.lists, compared.unsure,
	       compared.late, compared.incomplete);
	return 0;
}
