/* SPDX-License-Identifier: GPL-2.0-only */
#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* Where each waits for the disk, a second one has something to do meanwhile. */
#define FEWEST 2

struct shared {
	void **items;
	size_t n;
	atomic_size_t next;
	void (*work)(void *item);
};

static void *run(void *data)
{
	struct shared *shared = data;
	size_t i;

	while ((i = atomic_fetch_add(&shared->next, 1)) < shared->n)
		shared->work(shared->items[i]);
	return NULL;
}

static size_t wanted_threads(size_t n)
{
	const char *chosen = getenv("RELINKTRACE_WORKERS");
	long least = chosen ? 1 : FEWEST;
	long asked = chosen ? strtol(chosen, NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
	size_t wanted = asked < least		? least
			: asked > PARALLEL_MOST ? PARALLEL_MOST
						: asked;

	return n < wanted ? n : wanted;
}

void parallel_run(void **items, size_t n, void (*work)(void *item))
{
	struct shared shared = {.items = items, .n = n, .work = work};
	size_t wanted = wanted_threads(n), made = 0;
	pthread_t threads[PARALLEL_MOST];

	while (made + 1 < wanted && !pthread_create(&threads[made], NULL, run, &shared))
		made++;
	run(&shared);
	while (made-- > 0)
		pthread_join(threads[made], NULL);
}
