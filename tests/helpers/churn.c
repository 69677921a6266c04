/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File operations as fast as they go, for measuring what a hook costs:
 *
 *   churn open|unlink|orphan DIR THREADS COUNT
 *
 *   open    open(2) and close(2) of a file that has its name
 *   unlink  create, close, unlink
 *   orphan  create, unlink, close: each is an orphan for a moment
 *
 * COUNT of them by each of THREADS, pinned to CPUs. Prints the nanoseconds that one took.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "lib.h"

static const char *dir;
static int count;
static void (*operation)(const char *path);
static pthread_barrier_t start;

static void do_open(const char *path)
{
	close(open_or_die(path, O_RDONLY | O_CREAT));
}

static void do_unlink(const char *path)
{
	close(open_or_die(path, O_RDWR | O_CREAT));
	if (unlink(path))
		die("unlink %s", path);
}

static void do_orphan(const char *path)
{
	int fd = open_or_die(path, O_RDWR | O_CREAT);

	if (unlink(path))
		die("unlink %s", path);
	close(fd);
}

static void *churn(void *data)
{
	long place = (long)data;
	const char *path = path_of("%s/churn-%ld", dir, place);
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(place % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	operation(path);
	pthread_barrier_wait(&start);
	for (int i = 0; i < count; i++)
		operation(path);
	pthread_barrier_wait(&start);
	return NULL;
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(int argc, char **argv)
{
	int threads;
	pthread_t thread;
	double begin;

	if (argc != 5) {
		fprintf(stderr, "usage: churn open|unlink|orphan DIR THREADS COUNT\n");
		return 2;
	}
	operation = !strcmp(argv[1], "open")	 ? do_open
		    : !strcmp(argv[1], "unlink") ? do_unlink
						 : do_orphan;
	dir = argv[2];
	threads = atoi(argv[3]);
	count = atoi(argv[4]);
	if (threads < 1 || count < 1 || pthread_barrier_init(&start, NULL, threads + 1))
		die("threads and count");
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread, NULL, churn, (void *)i))
			die("pthread_create");
	pthread_barrier_wait(&start);
	begin = now_ns();
	pthread_barrier_wait(&start);
	printf("%.1f\n", (now_ns() - begin) / count);
	return 0;
}
