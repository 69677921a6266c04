/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that were sent over a Unix socket (SCM_RIGHTS) and not received yet: no table has
 * them. They are found behind the socket that they wait in, by the walk of bpf/tables.h.
 *
 * Sockets that wait in a queue themselves, to be accepted or received, are in no table
 * either. They are looked into next, as belonging to the fd of the outermost.
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

/* include/net/tcp_states.h */
#define RT_TCP_LISTEN 10

/* Sockets that are looked into for one fd: itself and those that wait in it. A server's
 * backlog is mostly shorter. */
#define RT_MAX_NESTED 256

struct rt_nest {
	struct sock *sockets[RT_MAX_NESTED];
};

/* One for each CPU, as rt_scratch. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rt_nest);
} rt_nests SEC(".maps");

/* What is done with each: 1 ends the walk. */
struct rt_flight {
	struct task_struct *task;
	struct seq_file *seq; /* NULL: only find out whether there is an orphan */
	struct sk_buff *message;
	struct sk_buff *head;
	struct scm_fp_list *sent;
	__u32 fd; /* of the socket */
	__u32 found;
	__u32 n_nested; /* sockets in rt_nests */
	bool listens;	/* messages are connections */
};

/* Notes @sk to be looked into, when something waits in it. */
static __always_inline void flight_push(struct rt_flight *flight, struct sock *sk)
{
	__u32 zero = 0, place = flight->n_nested;
	struct rt_nest *nest;

	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_family) != RT_AF_UNIX ||
	    !BPF_CORE_READ(sk, sk_receive_queue.qlen))
		return;
	nest = bpf_map_lookup_elem(&rt_nests, &zero);
	if (!nest || place >= RT_MAX_NESTED)
		return;
	nest->sockets[place & (RT_MAX_NESTED - 1)] = sk;
	flight->n_nested = place + 1;
}

/* The same for the socket that @file is, if it is one. */
static __always_inline void flight_push_file(struct rt_flight *flight, struct file *file)
{
	struct socket *socket;

	if ((BPF_CORE_READ(file, f_inode, i_mode) & RT_S_IFMT) != RT_S_IFSOCK)
		return;
	socket = BPF_CORE_READ(file, private_data);
	flight_push(flight, BPF_CORE_READ(socket, sk));
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
	if (!dentry || !dentry_is_unlinked(dentry)) {
		flight_push_file(flight, file);
		return 0;
	}
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
	/* The socket that accept(2) would return (unix_stream_connect, net/unix/af_unix.c). */
	if (flight->listens) {
		flight_push(flight, BPF_CORE_READ(message, sk));
		return 0;
	}
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

static long flight_socket(__u32 index, void *data)
{
	struct rt_flight *flight = data;
	struct sk_buff_head *queue;
	struct rt_nest *nest;
	struct sock *sk;
	__u32 zero = 0;

	nest = bpf_map_lookup_elem(&rt_nests, &zero);
	if (!nest || index >= flight->n_nested || (!flight->seq && flight->found))
		return 1;
	sk = nest->sockets[index & (RT_MAX_NESTED - 1)];
	queue = __builtin_preserve_access_index(&sk->sk_receive_queue);
	flight->listens = BPF_CORE_READ(sk, __sk_common.skc_state) == RT_TCP_LISTEN;
	flight->head = (void *)queue;
	flight->message = BPF_CORE_READ(queue, next);
	bpf_loop(RT_MAX_QUEUE, flight_message, flight, 0);
	return 0;
}

/* Goes over what waits in the socket @file: tells the orphans to @seq, or, where it is
 * NULL, looks whether there is one. Returns how many it came to. */
static __always_inline __u32 walk_queue(struct file *file, struct task_struct *task,
					struct seq_file *seq, __u32 fd)
{
	struct rt_flight flight;

	__builtin_memset(&flight, 0, sizeof(flight));
	flight.task = task;
	flight.seq = seq;
	flight.fd = fd;
	flight_push_file(&flight, file);
	if (flight.n_nested)
		bpf_loop(RT_MAX_NESTED, flight_socket, &flight, 0);
	return flight.found;
}

#endif
