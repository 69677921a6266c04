// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel half, one object for every kernel and every way to attach:
 *
 *   track.h      what is recorded of births and releases
 *   fentry.h     births and releases by fentry/fexit
 *   marks.h      how more than one program sees each of them
 *   kprobes.h    the same by kprobe/kretprobe
 *   fallback.h   what tracepoints can tell where functions cannot be hooked
 *   holders.h    the iterators that say who holds which unlinked dentry
 *   ours.h       what no task holds, told through fds of the reader's own
 *   flight.h     what waits in a Unix socket, for tables.h
 *   uring.h      what is registered with an io_uring, for tables.h
 *   tables.h     a quicker one for open files, where the kernel has what it needs
 *
 * Each of them lists its hooks and why. The loader loads what it uses of it and nothing
 * else. maps.h has the maps and the switches, compat.h the differences between kernels.
 */
#include "../vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "relinktrace.h"
#include "compat.h"
#include "maps.h"
#include "dentry.h"
#include "track.h"
#include "marks.h"
#include "fentry.h"
#include "kprobes.h"
#include "fallback.h"
#include "holders.h"
#include "ours.h"
#include "flight.h"
#include "uring.h"
#include "tables.h"

char LICENSE[] SEC("license") = "GPL";
