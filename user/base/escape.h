/* SPDX-License-Identifier: GPL-2.0-only */
/* Names for people's eyes: they come from strangers. */
#ifndef RELINKTRACE_ESCAPE_H
#define RELINKTRACE_ESCAPE_H

/* A copy of @text, owned by the caller, that is UTF-8: control characters, backslashes
 * and bytes that are no UTF-8 become \xNN. NULL when memory is out. */
char *escape_control(const char *text);

#endif
