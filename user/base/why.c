/* SPDX-License-Identifier: GPL-2.0-only */
#include "why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int why_set(char **why, int error, const char *format, ...)
{
	int saved = errno;
	char *text = NULL;
	va_list args;

	if (!why)
		return error;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	free(*why);
	*why = text;
	errno = saved;
	return error;
}

const char *why_text(const char *why)
{
	return why ? why : "out of memory for the reason";
}
