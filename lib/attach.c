/* SPDX-License-Identifier: GPL-2.0-only */
#include "track/attach.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "handle.h"
#include "track/events.h"
#include "track/stream.h"

/* 0, or -EINVAL, logged. */
static int wish_check(const struct relinktrace_attach *wish)
{
	if (!wish->cgroups || !*wish->cgroups)
		log_error("a cgroup is needed");
	else if (wish->backend && attach_backend(wish->backend) == BACKEND_NONE)
		log_error("\"%s\" is none of fentry, kprobe and tp_btf", wish->backend);
	else if (wish->max_orphans > ATTACH_MAX_ORPHANS)
		log_error("%u is more orphans than can be tracked", wish->max_orphans);
	else if (wish->pin && (wish->event || wish->stop_fd))
		log_error("what is pinned goes on without events");
	else if (!wish->pin && !wish->event)
		log_error("somebody has to be told of the events, or pin");
	else
		return 0;
	return -EINVAL;
}

static int attach_to_pins(const struct attach_wish *how, const struct target *target,
			  char **json)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	int ret;

	orphan_set_init(&set);
	ret = attach_pinned(how, target, &set);
	if (!ret && json)
		ret = handle_text(events_attached(&set, target, true), json);
	if (ret)
		return ret;
	scan_tell_lost(&set);
	return set.complete ? 0 : RELINKTRACE_PARTLY;
}

/* Calls the caller with @line, which it takes. 0; 1 that is enough; -ENOMEM. */
static int tell(const struct relinktrace_attach *wish, json_t *line)
{
	AUTO_FREE char *text = NULL;
	int ret = handle_text(line, &text);

	return ret ?: wish->event(text, wish->data) ? 1 : 0;
}

static int tell_event(const struct stream_event *event, uint64_t lost, void *data)
{
	return tell(data,
		    event ? events_happened(event->name, event->when_ns, event->orphan)
			  : events_lost(lost));
}

static int attach_for_events(const struct relinktrace_attach *wish,
			     const struct attach_wish *how, const struct target *target)
{
	AUTO(attach_end) struct attach attach = ATTACH_INIT;
	AUTO(orphan_set_fini) struct orphan_set set;
	int ret;

	orphan_set_init(&set);
	ret = attach_begin(how, target, &attach, &set);
	if (ret)
		return ret;
	ret = tell(wish, events_attached(&set, target, false));
	if (!ret)
		ret = stream_run(attach.tracker, &attach.source, target, &set,
				 wish->stop_fd ?: -1, tell_event, (void *)wish);
	if (ret < 0) {
		log_error("tracking ended: %s", strerror(-ret));
		return ret;
	}
	if (!scan_lost(&attach.source))
		return 0;
	log_warning("records were lost, or no hook was called");
	return RELINKTRACE_PARTLY;
}

static int attach_all(const struct relinktrace_attach *theirs, char **json)
{
	AUTO(target_fini) struct target target;
	struct relinktrace_attach wish = {0};
	struct attach_wish how = {0};
	int ret = handle_wish(&wish, theirs, sizeof(wish));

	target_init(&target);
	ret = ret ?: wish_check(&wish);
	ret = ret ?: handle_cgroups(wish.cgroups, &target);
	if (ret)
		return ret;
	if (wish.backend)
		how.backend = attach_backend(wish.backend);
	how.max_orphans = wish.max_orphans;
	how.streaming = !wish.pin;
	return wish.pin ? attach_to_pins(&how, &target, json)
			: attach_for_events(&wish, &how, &target);
}

int relinktrace_attach(struct relinktrace *rt, const struct relinktrace_attach *wish,
		       char **json)
{
	handle_enter(rt);
	return handle_leave(rt, attach_all(wish, json));
}
