// SPDX-License-Identifier: GPL-2.0-only
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "bpf/records.h"
#include "scan/unlinked.h"

/* tp_btf sees no release on most filesystems and no O_TMPFILE: a look each second. */
#define LOOK_MS 1000

struct stream {
	struct tracker *hooks;
	const struct scan_source *source;
	const struct target *target;
	struct orphan_set *known; /* told as born, not yet as released */
	struct rt_event *pending; /* births whose holders were not looked at yet */
	size_t n_pending, room_pending;
	bool changed; /* a look is due */
	bool unsure;  /* records were lost: releases may have been among them */
	uint64_t lost_full, lost_messages; /* of the counters, what was told already */
	int enough;			   /* what @each has ended the stream with */
	stream_fn each;
	void *data;
};

static int tell(struct stream *stream, const char *name, uint64_t when_ns,
		const struct orphan *orphan)
{
	struct stream_event event = {.name = name, .when_ns = when_ns, .orphan = orphan};

	if (!stream->enough)
		stream->enough = stream->each(&event, 0, stream->data);
	return stream->enough;
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
	err = tell(stream, "released", clock_real_at(event->when_ns), orphan);
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

/* Another lost name of an orphan that is known already: to be released as well. */
static int born(struct stream *stream, const struct rt_event *event)
{
	const struct rt_orphan *name = &event->orphan;
	struct orphan *orphan =
		orphan_set_find_inode(stream->known, kernel_major(name->dev),
				      kernel_minor(name->dev), name->ino, name->inode);

	if (orphan && orphan->inode && orphan->generation == name->generation)
		return orphan_add_key(orphan, event->key);
	return remember(stream, event);
}

static int take_event(void *data, void *message, size_t size)
{
	struct stream *stream = data;
	const struct rt_event *event = message;

	if (size < sizeof(*event))
		return 0;
	switch (event->type) {
	case RT_EVENT_BORN:
		return born(stream, event);
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
		uint64_t when = found->unlinker.known ? found->unlinker.when_ns
						      : clock_ns(CLOCK_REALTIME);
		int err = 0;

		known = orphan_set_at_inode(stream->known, found->dev_major,
					    found->dev_minor, found->ino, found->inode);
		if (!known)
			return -ENOMEM;
		if (known->mode && same_orphan(known, found)) {
			for (size_t j = 0; j < found->n_keys && !err; j++)
				err = orphan_add_key(known, found->keys[j]);
		} else {
			if (known->mode)
				err = tell(stream, "released", clock_ns(CLOCK_REALTIME),
					   known);
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
		    !unlinked_fill(&event->orphan, stream->target, &orphan))
			continue;
		err = tell(stream, "born", orphan.unlinker.when_ns, &orphan);
		err = err ? err
			  : tell(stream, "released", clock_real_at(event->when_ns),
				 &orphan);
		orphan_fini(&orphan);
		if (err)
			return err;
	}
	stream->n_pending = 0;
	return 0;
}

static bool has_key(const struct orphan *orphan, uint64_t key)
{
	for (size_t i = 0; i < orphan->n_keys; i++)
		if (orphan->keys[i] == key)
			return true;
	return false;
}

/* Whether the map still has @key, and of @orphan: an address is used again. */
static bool is_tracked(const struct stream *stream, const struct orphan *orphan,
		       uint64_t key)
{
	struct rt_orphan entry;

	return !bpf_map_lookup_elem(stream->source->orphans_fd, &key, &entry) &&
	       entry.inode == orphan->inode && entry.generation == orphan->generation;
}

/* Whether @known, which a pass has found as @now (NULL: not at all), is released. With
 * tp_btf nothing but the pass knows. Else the map does, of each name, but for what it had
 * no room for. */
static bool is_released(const struct stream *stream, struct orphan *known,
			const struct orphan *now)
{
	size_t kept = 0;

	if (now && now->mode && !same_orphan(known, now))
		now = NULL;
	if (!backend_is_exact(stream->source->backend))
		return !now;
	for (size_t i = 0; i < known->n_keys; i++)
		if (is_tracked(stream, known, known->keys[i]) ||
		    (now && has_key(now, known->keys[i])))
			known->keys[kept++] = known->keys[i];
	known->n_keys = kept;
	return !kept;
}

/* What is known and was released without a message that said so. */
static int forget(struct stream *stream, const struct orphan_set *found)
{
	for (size_t i = 0; i < stream->known->n; i++) {
		struct orphan *known = &stream->known->orphans[i];
		struct orphan *now =
			orphan_set_find_inode(found, known->dev_major, known->dev_minor,
					      known->ino, known->inode);
		int err;

		if (!is_released(stream, known, now))
			continue;
		err = tell(stream, "released", clock_ns(CLOCK_REALTIME), known);
		if (err)
			return err;
		known->n_holders = 0;
		known->unattributed = false;
	}
	orphan_set_prune(stream->known);
	return 0;
}

static struct rt_stats counters(const struct stream *stream)
{
	struct rt_stats stats = {};
	uint32_t place = RT_STATS_NOW;

	if (bpf_map_lookup_elem(stream->source->stats_fd, &place, &stats))
		return (struct rt_stats){};
	return stats;
}

static int look(struct stream *stream)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	bool exact = backend_is_exact(stream->source->backend);
	int err;

	orphan_set_init(&set);
	tracker_clear_change(stream->hooks);
	stream->changed = false;
	err = scan_with(stream->source, stream->target, &set);
	if (!err && (!exact || stream->unsure))
		err = forget(stream, &set);
	err = err ? err : learn(stream, &set);
	/* The pass puts into the map what had found no room; while there is none for some
	 * of it, nothing will tell of their release, and looking again has to. */
	stream->unsure = exact && set.lost;
	stream->lost_full = counters(stream).lost_full;
	return err ? err : tell_short_lived(stream);
}

static int tell_lost(struct stream *stream)
{
	struct rt_stats stats = counters(stream);
	uint64_t messages = stats.lost_events + stats.lost_nested;
	uint64_t lost = stats.lost_full - stream->lost_full + messages -
			stream->lost_messages + scan_missed(stream->source);

	if (!lost)
		return 0;
	stream->lost_full = stats.lost_full;
	stream->lost_messages = messages;
	/* They may have been births, or releases: find out. */
	stream->changed = true;
	stream->unsure = true;
	return stream->each(NULL, lost, stream->data);
}

static int turn(struct stream *stream, struct ring_buffer *ring)
{
	int err = ring_buffer__consume(ring);

	/* libbpf goes on when what it calls returns more than 0. */
	if (err < 0 || stream->enough)
		return stream->enough ?: err;
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
		/* What a hook was skipped for wakes nobody. */
		int n = poll(fds, 2, LOOK_MS);
		int err;

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && fds[0].revents)
			return 0;
		if (n == 0)
			stream->changed = !exact || stream->unsure;
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
