/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One thread makes orphans, and another, of a real time class, overtakes it in the middle of
 * that on the same processor and makes some as well:
 *
 *   overtake DIR KEEP
 *
 * Each line on stdin is a number of orphans, which the slower one makes, more if the other
 * has not made KEEP by then; "done" is printed, and none is made until the next line. Each
 * of the two has the last KEEP of its own open.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "lib.h"

/* No divisor of what the other takes for one: it is met at every point. From the end of one
 * on: however slow the machine is, the other comes on. */
#define PAUSE_NS 373000

struct maker {
	const char *dir, *name;
	int *fds, keep;
	_Atomic unsigned long made;
};

/* Half of them unlink, half replace by a rename. */
static void make_one(struct maker *maker)
{
	const char *path = path_of("%s/%s/file", maker->dir, maker->name);
	const char *other = path_of("%s/%s/new", maker->dir, maker->name);
	int *fd = &maker->fds[maker->made % maker->keep];

	if (*fd >= 0)
		close(*fd);
	*fd = open_or_die(path, O_RDWR | O_CREAT);
	if (maker->made++ % 2) {
		if (unlink(path))
			die("unlink %s", path);
		return;
	}
	close(open_or_die(other, O_RDWR | O_CREAT));
	if (rename(other, path) || unlink(path))
		die("rename and unlink %s", path);
}

/* Has a directory of its own: whoever is in vfs_unlink() has its directory locked. */
static struct maker maker_of(const char *dir, const char *name, int keep)
{
	struct maker maker = {.dir = dir, .name = name, .keep = keep};

	if (mkdir(path_of("%s/%s", dir, name), 0700))
		die("mkdir %s/%s", dir, name);
	maker.fds = malloc(keep * sizeof(*maker.fds));
	if (!maker.fds)
		die("malloc");
	for (int i = 0; i < keep; i++)
		maker.fds[i] = -1;
	return maker;
}

static pthread_mutex_t slower_works = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t begun;

/* While the slower one waits for input, it has the lock, and this one nothing to do. */
static void *overtake(void *data)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct maker *maker = data;

	pthread_barrier_wait(&begun);
	for (;;) {
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&slower_works);
		make_one(maker);
		pthread_mutex_unlock(&slower_works);
	}
	return NULL;
}

static void start(struct maker *maker)
{
	struct sched_param param = {.sched_priority = 10};
	pthread_attr_t attr;
	pthread_t thread;

	if (pthread_barrier_init(&begun, NULL, 2) || pthread_attr_init(&attr) ||
	    pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED) ||
	    pthread_attr_setschedpolicy(&attr, SCHED_FIFO) ||
	    pthread_attr_setschedparam(&attr, &param))
		die("attributes of a thread");
	errno = pthread_create(&thread, &attr, overtake, maker);
	if (errno)
		die("a thread of a real time class");
	pthread_barrier_wait(&begun);
}

int main(int argc, char **argv)
{
	struct maker slower, faster;
	cpu_set_t first;
	char line[32];

	if (argc != 3 || atoi(argv[2]) < 1) {
		fprintf(stderr, "usage: overtake DIR KEEP\n");
		return 2;
	}
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		die("sched_setaffinity");
	slower = maker_of(argv[1], "slower", atoi(argv[2]));
	faster = maker_of(argv[1], "faster", atoi(argv[2]));
	pthread_mutex_lock(&slower_works);
	start(&faster);
	while (fgets(line, sizeof(line), stdin)) {
		pthread_mutex_unlock(&slower_works);
		for (int n = atoi(line); n > 0 || faster.made < (unsigned)faster.keep;
		     n--)
			make_one(&slower);
		pthread_mutex_lock(&slower_works);
		puts("done");
		fflush(stdout);
	}
	return 0;
}
