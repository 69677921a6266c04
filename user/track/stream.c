// SPDX-License-Identifier: GPL-2.0-only
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/auto.h"
#include "base/log.h"
#include "bpf/records.h"

/* tp_btf sees no release on most filesystems and no O_TMPFILE: a look each second. */
#define LOOK_MS 1000

struct stream {
	struct tracker *hooks;
	const struct scan_source *source;
	const struct target *target;
	struct orphan_set *known; /* told as born, not yet as released */
	struct rt_event *pending; /* births whose holders were not looked at yet */
	size_t n_pending, room_pending;
	bool changed; /* tp_btf: a look is due */
	uint64_t lost;
	stream_fn each;
	void *data;
};

static uint64_t realtime_ns(uint64_t boottime_ns)
{
	struct timespec real, boot;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	if (!boottime_ns)
		return real.tv_sec * 1000000000ULL + real.tv_nsec;
	return boottime_ns + (real.tv_sec - boot.tv_sec) * 1000000000LL + real.tv_nsec -
	       boot.tv_nsec;
}

static int tell(struct stream *stream, const char *name, uint64_t when_ns,
		const struct orphan *orphan)
{
	struct stream_event event = {.name = name, .when_ns = when_ns, .orphan = orphan};

	return stream->each(&event, 0, stream->data);
}

/* The orphan among @set that has @key. */
static struct orphan *find_key(struct orphan_set *set, uint64_t key, size_t *place)
{
	for (size_t i = 0; i < set->n; i++)
		for (size_t j = 0; j < set->orphans[i].n_keys; j++)
			if (set->orphans[i].keys[j] == key) {
				*place = j;
				return &set->orphans[i];
			}
	return NULL;
}

/* One of an orphan's lost names is released; the orphan with the last of them. */
static int release(struct stream *stream, const struct rt_event *event)
{
	struct orphan *orphan;
	size_t place;
	int err;

	orphan = find_key(stream->known, event->key, &place);
	if (!orphan) {
		/* Born and gone before anybody could look. */
		for (size_t i = 0; i < stream->n_pending; i++)
			if (stream->pending[i].key == event->key &&
			    stream->pending[i].type == RT_EVENT_BORN) {
				stream->pending[i].type = RT_EVENT_RELEASED;
				stream->pending[i].when_ns = event->when_ns;
				break;
			}
		return 0;
	}
	orphan->keys[place] = orphan->keys[--orphan->n_keys];
	if (orphan->n_keys)
		return 0;
	err = tell(stream, "released", realtime_ns(event->when_ns), orphan);
	orphan->n_holders = 0;
	orphan->unattributed = false;
	orphan_set_prune(stream->known);
	return err;
}

static int remember(struct stream *stream, const struct rt_event *event)
{
	if (stream->n_pending == stream->room_pending) {
		size_t room = stream->room_pending ? stream->room_pending * 2 : 64;
		struct rt_event *pending =
			reallocarray(stream->pending, room, sizeof(*pending));

		if (!pending)
			return -ENOMEM;
		stream->pending = pending;
		stream->room_pending = room;
	}
	stream->pending[stream->n_pending++] = *event;
	return 0;
}

static int take_event(void *data, void *message, size_t size)
{
	struct stream *stream = data;
	const struct rt_event *event = message;

	if (size < sizeof(*event))
		return 0;
	switch (event->type) {
	case RT_EVENT_BORN:
		return remember(stream, event);
	case RT_EVENT_RELEASED:
		return release(stream, event);
	case RT_EVENT_CHANGED:
		stream->changed = true;
		break;
	}
	return 0;
}

static bool same_orphan(const struct orphan *a, const struct orphan *b)
{
	return a->generation == b->generation && a->has_generation == b->has_generation;
}

/* Moves what @set has and is not known yet into the known ones, and tells of it. */
static int learn(struct stream *stream, struct orphan_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		struct orphan *found = &set->orphans[i], *known;
		uint64_t when =
			found->unlinker.known ? found->unlinker.when_ns : realtime_ns(0);
		int err = 0;

		known = orphan_set_at(stream->known, found->dev_major, found->dev_minor,
				      found->ino);
		if (!known)
			return -ENOMEM;
		if (known->mode && same_orphan(known, found)) {
			for (size_t j = 0; j < found->n_keys && !err; j++)
				err = orphan_add_key(known, found->keys[j]);
		} else {
			if (known->mode)
				err = tell(stream, "released", realtime_ns(0), known);
			orphan_fini(known);
			*known = *found;
			*found = (struct orphan){.mnt_id = -1};
			err = err ? err : tell(stream, "born", when, known);
		}
		if (err)
			return err;
	}
	return 0;
}

/* What was born and released before anybody could look belongs to its unlinker. */
static int tell_short_lived(struct stream *stream)
{
	for (size_t i = 0; i < stream->n_pending; i++) {
		const struct rt_event *event = &stream->pending[i];
		struct orphan orphan = {.mnt_id = -1, .unattributed = true};
		int err;

		if (event->type != RT_EVENT_RELEASED ||
		    !scan_fill_unlinked(&event->orphan, stream->target, &orphan))
			continue;
		err = tell(stream, "born", orphan.unlinker.when_ns, &orphan);
		err = err ? err
			  : tell(stream, "released", realtime_ns(event->when_ns),
				 &orphan);
		orphan_fini(&orphan);
		if (err)
			return err;
	}
	stream->n_pending = 0;
	return 0;
}

/* tp_btf: what is known and no longer found is released. */
static int forget(struct stream *stream, const struct orphan_set *found)
{
	for (size_t i = 0; i < stream->known->n; i++) {
		struct orphan *known = &stream->known->orphans[i];
		struct orphan *now = orphan_set_find(found, known->dev_major,
						     known->dev_minor, known->ino);
		int err;

		if (now && (!now->mode || same_orphan(known, now)))
			continue;
		err = tell(stream, "released", realtime_ns(0), known);
		if (err)
			return err;
		known->n_holders = 0;
		known->unattributed = false;
	}
	orphan_set_prune(stream->known);
	return 0;
}

static int look(struct stream *stream)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	int err;

	orphan_set_init(&set);
	tracker_clear_change(stream->hooks);
	stream->changed = false;
	err = scan_with(stream->source, stream->target, &set);
	if (!err && !backend_is_exact(stream->source->backend))
		err = forget(stream, &set);
	err = err ? err : learn(stream, &set);
	return err ? err : tell_short_lived(stream);
}

static int tell_lost(struct stream *stream)
{
	struct rt_stats stats = {};
	uint32_t zero = 0;
	uint64_t lost;

	if (bpf_map_lookup_elem(stream->source->stats_fd, &zero, &stats))
		return 0;
	lost = stats.lost_full + stats.lost_events + stats.lost_nested;
	if (lost == stream->lost)
		return 0;
	lost -= stream->lost;
	stream->lost += lost;
	/* Lost messages may have been births: find out. */
	stream->changed = true;
	return stream->each(NULL, lost, stream->data);
}

static int turn(struct stream *stream, struct ring_buffer *ring)
{
	int err = ring_buffer__consume(ring);

	if (err < 0)
		return err;
	err = tell_lost(stream);
	if (!err && (stream->n_pending || stream->changed))
		err = look(stream);
	return err;
}

static void auto_ring(struct ring_buffer **ring)
{
	ring_buffer__free(*ring);
}

static int run(struct stream *stream, struct ring_buffer *ring, int stop_fd)
{
	bool exact = backend_is_exact(stream->source->backend);
	struct pollfd fds[] = {
		{.fd = stop_fd, .events = POLLIN},
		{.fd = ring_buffer__epoll_fd(ring), .events = POLLIN},
	};

	for (;;) {
		int n = poll(fds, 2, exact ? -1 : LOOK_MS);
		int err;

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && fds[0].revents)
			return 0;
		if (n == 0)
			stream->changed = true;
		err = turn(stream, ring);
		if (err)
			return err;
	}
}

int stream_run(struct tracker *hooks, const struct scan_source *source,
	       const struct target *target, struct orphan_set *known, int stop_fd,
	       stream_fn each, void *data)
{
	struct stream stream = {
		.hooks = hooks,
		.source = source,
		.target = target,
		.known = known,
		.each = each,
		.data = data,
	};
	AUTO(auto_ring)
	struct ring_buffer *ring =
		ring_buffer__new(tracker_events_fd(hooks), take_event, &stream, NULL);
	int err;

	if (!ring)
		return -errno;
	err = run(&stream, ring, stop_fd);
	free(stream.pending);
	return err;
}
