/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that were sent over a Unix socket (SCM_RIGHTS) and not received yet: no table has
 * them. They are found behind the socket that they wait in, by the walk of bpf/tables.h.
 *
 * Sockets that wait in a queue themselves, to be accepted or received, are in no table
 * either: what waits in those is not found.
 */
#ifndef RELINKTRACE_FLIGHT_H
#define RELINKTRACE_FLIGHT_H

/* include/linux/socket.h, include/uapi/linux/stat.h */
#define RT_AF_UNIX  1
#define RT_S_IFSOCK 0140000

/* Messages of one queue that are looked at. net.unix.max_dgram_qlen is 10 to 512, and a
 * stream's are bounded by its buffer. */
#define RT_MAX_QUEUE 4096

/* SCM_MAX_FD, include/net/scm.h. */
#define RT_MAX_SENT 253

/* What is done with each: 1 ends the walk. */
struct rt_flight {
	struct task_struct *task;
	struct seq_file *seq; /* NULL: only find out whether there is an orphan */
	struct sk_buff *message;
	struct sk_buff *head;
	struct scm_fp_list *sent;
	__u32 fd; /* of the socket */
	__u32 found;
};

/* The queue of the socket that @file is, when something waits in it; NULL. */
static __always_inline struct sk_buff_head *file_queue(struct file *file)
{
	struct socket *socket;
	struct sock *sk;

	if ((BPF_CORE_READ(file, f_inode, i_mode) & RT_S_IFMT) != RT_S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_family) != RT_AF_UNIX ||
	    !BPF_CORE_READ(sk, sk_receive_queue.qlen))
		return NULL;
	return __builtin_preserve_access_index(&sk->sk_receive_queue);
}

static __always_inline void tell_flight(struct rt_flight *flight, struct file *file)
{
	struct rt_record *record;

	record = record_begin(flight->task, BPF_CORE_READ(file, f_path.dentry),
			      BPF_CORE_READ(file, f_path.mnt), RT_HOLDER_FLIGHT);
	if (!record)
		return;
	record->holder.file = (__u64)file;
	record->holder.fd = flight->fd;
	record->holder.open_flags = BPF_CORE_READ(file, f_flags);
	record->holder.pos = BPF_CORE_READ(file, f_pos);
	record_send(flight->seq, record);
}

static long flight_file(__u32 index, void *data)
{
	struct rt_flight *flight = data;
	struct file *file = NULL;
	struct dentry *dentry;

	if (index >= RT_MAX_SENT)
		return 1;
	bpf_probe_read_kernel(&file, sizeof(file),
			      (void *)flight->sent +
				      bpf_core_field_offset(struct scm_fp_list, fp) +
				      index * sizeof(file));
	dentry = BPF_CORE_READ(file, f_path.dentry);
	if (!dentry || !dentry_is_unlinked(dentry))
		return 0;
	flight->found++;
	if (!flight->seq)
		return 1;
	tell_flight(flight, file);
	return 0;
}

static long flight_message(__u32 index, void *data)
{
	struct rt_flight *flight = data;
	struct sk_buff *message = flight->message;
	struct unix_skb_parms *parms;
	struct scm_fp_list *sent;
	short count;

	(void)index;
	if (!message || message == flight->head || (!flight->seq && flight->found))
		return 1;
	flight->message = BPF_CORE_READ(message, next);
	/* UNIXCB(), include/net/af_unix.h. */
	parms = (void *)message + bpf_core_field_offset(struct sk_buff, cb);
	sent = BPF_CORE_READ(parms, fp);
	if (!sent)
		return 0;
	flight->sent = sent;
	count = BPF_CORE_READ(sent, count);
	if (count > 0 && count <= RT_MAX_SENT)
		bpf_loop(count, flight_file, flight, 0);
	return 0;
}

/* Goes over what waits in the socket @file: tells the orphans to @seq, or, where it is
 * NULL, looks whether there is one. Returns how many it came to. */
static __always_inline __u32 walk_queue(struct file *file, struct task_struct *task,
					struct seq_file *seq, __u32 fd)
{
	struct sk_buff_head *queue = file_queue(file);
	struct rt_flight flight;

	if (!queue)
		return 0;
	__builtin_memset(&flight, 0, sizeof(flight));
	flight.task = task;
	flight.seq = seq;
	flight.fd = fd;
	flight.head = (void *)queue;
	flight.message = BPF_CORE_READ(queue, next);
	bpf_loop(RT_MAX_QUEUE, flight_message, &flight, 0);
	return flight.found;
}

#endif
