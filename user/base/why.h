/* SPDX-License-Identifier: GPL-2.0-only */
/* The reason of a failure as text that travels up to where the context is known. */
#ifndef RELINKTRACE_WHY_H
#define RELINKTRACE_WHY_H

/* Puts the formatted reason into *@why (owned by the caller; what was there is freed;
 * NULL when memory is out; @why itself may be NULL) and returns @error, so that
 * `return why_set(why, -EINVAL, "…")` is one line. errno is kept. */
int why_set(char **why, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The reason, or a stand-in when memory was out for it; for a printf argument. */
const char *why_text(const char *why);

#endif
