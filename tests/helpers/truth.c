/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The truth about held unlinked files, from /proc alone (truth.h):
 *
 *   truth CGROUP_DIR      of the tasks in that cgroup v2 directory and below it
 *   truth -p PID...
 *
 * One line an inode, `MAJ:MIN INO HOLDER...`, lines and holders sorted and unique.
 */
#include "truth.h"

static void rows_print(const struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->rows[i], *last = i ? row - 1 : NULL;

		if (!last || strcmp(last->key, row->key))
			printf("%s%s %s", last ? "\n" : "", row->key, row->holder);
		else
			printf(" %s", row->holder);
	}
	if (rows->n)
		printf("\n");
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: truth CGROUP_DIR | -p PID...\n");
		return 2;
	}
	if (strcmp(argv[1], "-p")) {
		truth_of_cgroup(argv[1]);
	} else {
		truth_begin();
		for (int i = 2; i < argc; i++)
			process_look(atoi(argv[i]));
		rows_sort(&truth.sure);
	}
	rows_print(&truth.sure);
	return 0;
}
