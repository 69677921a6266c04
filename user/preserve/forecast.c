/* SPDX-License-Identifier: GPL-2.0-only */
#include "forecast.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/auto.h"
#include "base/why.h"
#include "copy.h"
#include "ladder.h"
#include "proc/mount.h"

/* Enough to be more than a cache's answer, and done in a moment on a slow disk. */
#define SAMPLE_BYTES (4U << 20)

void forecasts_fini(struct forecasts *forecasts)
{
	for (size_t i = 0; i < forecasts->n; i++)
		free(forecasts->mounts[i].why);
	free(forecasts->mounts);
	*forecasts = (struct forecasts){0};
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Bytes a second of a copy from @src, which gets its contents, to @dst. 0 not known. */
static double sample_rate(int src, int dst)
{
	AUTO_FREE char *bytes = malloc(SAMPLE_BYTES);
	uint64_t copied = 0;
	double begin;

	if (!bytes)
		return 0;
	memset(bytes, 'x', SAMPLE_BYTES);
	if (pwrite(src, bytes, SAMPLE_BYTES, 0) != SAMPLE_BYTES || fsync(src))
		return 0;
	begin = now();
	if (copy_sparse(src, dst, &copied) || fsync(dst) || !copied)
		return 0;
	return (double)copied / (now() - begin);
}

/* Tries out the mount, or the store, by files without a name. */
static int try_mount(const struct forecasts *forecasts, struct forecast_mount *mount)
{
	AUTO_FD root = mount->store ? fcntl(forecasts->depot->fd, F_DUPFD_CLOEXEC, 0)
				    : mount_open_root(mount->pid, mount->id);
	AUTO_FD src = -1, dst = -1;

	if (root < 0)
		return why_set(&mount->why, root,
			       "the root of its mount cannot be reached: %s",
			       strerror(-root));
	src = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	dst = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	/* A filesystem without O_TMPFILE takes names all the same: then nothing is known. */
	if ((src < 0 || dst < 0) && (errno == EOPNOTSUPP || errno == EISDIR))
		return 0;
	if (src < 0 || dst < 0)
		return why_set(&mount->why, -errno, "no file can be made %s: %m",
			       mount->store ? "in the store" : "on its mount");
	mount->rate = sample_rate(src, dst);
	mount->clones = !copy_clone(src, dst);
	return 0;
}

static struct forecast_mount *mount_at(struct forecasts *forecasts,
				       const struct orphan *orphan, pid_t pid)
{
	struct forecast_mount *mounts = forecasts->mounts, *mount;
	bool store = depot_takes(forecasts->depot, orphan);

	for (size_t i = 0; i < forecasts->n; i++)
		if (mounts[i].store == store && (store || mounts[i].id == orphan->mnt_id))
			return &mounts[i];
	mounts = reallocarray(mounts, forecasts->n + 1, sizeof(*mounts));
	if (!mounts)
		return NULL;
	forecasts->mounts = mounts;
	mount = &mounts[forecasts->n++];
	*mount =
		(struct forecast_mount){.store = store, .id = orphan->mnt_id, .pid = pid};
	mount->error = -try_mount(forecasts, mount);
	return mount;
}

/* Whether @orphan is on the filesystem that its copy goes to. */
static bool is_at_home(const struct forecasts *forecasts, const struct orphan *orphan,
		       const struct forecast_mount *mount)
{
	return !mount->store || (forecasts->depot->store.dev_major == orphan->dev_major &&
				 forecasts->depot->store.dev_minor == orphan->dev_minor);
}

/* Whether @method would do for @orphan on @mount. */
static bool would_do(const struct forecasts *forecasts, const struct orphan *orphan,
		     const struct forecast_mount *mount, enum method method, bool stop)
{
	switch (method) {
	case METHOD_LINK:
		return orphan->nlink || (orphan->tmpfile && stop);
	case METHOD_CLONE:
		return mount->clones && is_at_home(forecasts, orphan, mount);
	case METHOD_COPY:
	case METHOD_RECREATE:
		return true;
	case METHOD_AUTO:
		break;
	}
	return false;
}

int forecast(struct forecasts *forecasts, const struct orphan *orphan, enum method method,
	     bool stop, struct forecast *out)
{
	const struct holder *holder = orphan_first_linked(orphan);
	const struct forecast_mount *mount;
	enum method methods[LADDER_STEPS];
	size_t n = ladder_methods(orphan, method, depot_takes(forecasts->depot, orphan),
				  methods);

	*out = (struct forecast){.method = METHOD_AUTO,
				 .why = "no link in /proc leads to it"};
	if (!holder)
		return 0;
	mount = mount_at(forecasts, orphan, holder->pid);
	if (!mount)
		return -ENOMEM;
	out->why = mount->error ? mount->why : "the method that is asked for will not do";
	for (size_t i = 0; i < n; i++) {
		if ((mount->error && methods[i] != METHOD_RECREATE) ||
		    !would_do(forecasts, orphan, mount, methods[i], stop))
			continue;
		out->method = methods[i];
		out->why = NULL;
		break;
	}
	if (out->method != METHOD_COPY)
		return 0;
	out->bytes = orphan->allocated;
	out->seconds = mount->rate > 0 ? (double)out->bytes / mount->rate : 0;
	return 0;
}
