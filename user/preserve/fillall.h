/* SPDX-License-Identifier: GPL-2.0-only */
/* The new files of many orphans, filled several at a time. */
#ifndef RELINKTRACE_FILLALL_H
#define RELINKTRACE_FILLALL_H

#include "ladder.h"

/* ladder_fill() and then ladder_sync() of those of @ladders, @n of them, whose ladder_open() said so. Where several
 * together take more room than there is, as many as fit are filled, smaller ones first, and
 * the room of the others is given back. 0; -ENOMEM, -EINTR; what else fails is
 * ladder_prepare()'s to tell. */
int fillall(struct ladder **ladders, size_t n);

#endif
