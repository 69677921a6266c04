/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that the kernel skips, and what makes up for them.
 *
 * From 5.12 on a program is skipped where a task comes to it while another is held up in it
 * on the same processor (ca06f55b9002 "bpf: Add per-program recursion prevention
 * mechanism"), as a preemptible kernel can have it (all of 7.x, others by preempt=full).
 * There each hook has three programs. What is attached last runs first
 * (bpf_trampoline_link_prog() adds it at the head): that is the one whose name ends in _3. It
 * looks, and leaves a mark. The second looks where it finds none, because the first was
 * skipped, counts that, and leaves a mark in its place; and so does the third. So nobody has
 * seen what the first was skipped for, by the kernel's count, and no other alone:
 * user/bpf/hooks.h. With two, 300 stops of the random workload had 28 events that the first
 * was skipped for, and at one of some thousand the map lacked an inode. (To forbid that a program
 * is held up, by bpf_preempt_disable(), only moves that to where it is allowed again, which
 * is still inside of the program.)
 */
#ifndef RELINKTRACE_MARKS_H
#define RELINKTRACE_MARKS_H

#define RT_LOOK(section, name, look)                                                     \
	SEC(section)                                                                     \
	int name(void *ctx)                                                              \
	{                                                                                \
		look;                                                                    \
		return 0;                                                                \
	}

#define RT_LOOK_ALONE(section, name, event, look)                                        \
	SEC(section)                                                                     \
	int name(void *ctx)                                                              \
	{                                                                                \
		if (has_mark(__LINE__, event))                                           \
			return 0;                                                        \
		look;                                                                    \
		leave_mark(__LINE__, event);                                             \
		return 0;                                                                \
	}

#define RT_THRICE_IF(again, section, name, event, look)                                  \
	RT_LOOK(section, name, if (!((again) && take_mark(__LINE__, event))) look)       \
	RT_LOOK_ALONE(section, name##_2, event, look)                                    \
	RT_LOOK(section, name##_3, look; leave_mark(__LINE__, event))

#define RT_THRICE(section, name, event, look)                                            \
	RT_THRICE_IF(rt_looks_again, section, name, event, look)

/* What tells @dentry from others that a thread comes to: not its address, which is the last
 * one's where that is gone. */
static __always_inline __u32 event_of(struct dentry *dentry)
{
	struct inode *inode = dentry ? dentry->d_inode : NULL;

	if (!inode)
		return 0;
	return inode->i_ino ^ inode->i_generation ^ dentry->d_name.hash;
}

/* A mark: the thread, and above it what it came to, since the mark of an event stays that the
 * last program was skipped for. @hook is one's own of each. */
static __always_inline __u64 mark_of(__u32 tid, __u32 hook, __u32 event)
{
	return (__u64)(event ^ hook) << 32 | tid;
}

static __always_inline void leave_mark(__u32 hook, __u32 event)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 *mark = &rt_marks[tid % RT_MARKS];

	if (*mark && (__u32)*mark != tid)
		RT_COUNT(marks_lost);
	*mark = mark_of(tid, hook, event);
}

/* Whether a program before this one has looked at this event; counts it where none has. */
static __always_inline bool has_mark(__u32 hook, __u32 event)
{
	__u32 tid = bpf_get_current_pid_tgid();

	if (rt_marks[tid % RT_MARKS] == mark_of(tid, hook, event))
		return true;
	RT_COUNT(seen_alone);
	return false;
}

/* The same of the last, which removes the mark. */
static __always_inline bool take_mark(__u32 hook, __u32 event)
{
	__u32 tid;

	if (!has_mark(hook, event))
		return false;
	tid = bpf_get_current_pid_tgid();
	rt_marks[tid % RT_MARKS] = 0;
	return true;
}

#endif
