/* SPDX-License-Identifier: GPL-2.0-only */
/* What somebody can do about a failure that is not the program's. */
#ifndef RELINKTRACE_ADVICE_H
#define RELINKTRACE_ADVICE_H

/* "; do this", for the end of an error message, where @error (-errno) alone does not say
 * it; else "". Static. */
const char *advice(int error);

/* ": do this" where a folder that is to hold a new file could not be opened for @error (-errno)
 * because there is none; else "". Static. */
const char *advice_folder(int error);

/* "immutable: chattr -i it", or "append-only: chattr -a it", where the file @fd (O_PATH is
 * enough) is so; else NULL. Static. */
const char *advice_seal(int fd);

#endif
