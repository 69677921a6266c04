/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stops a command between look and act, so that a race is surely lost:
 *
 *   stopat N HOOK COMMAND [ARG]...
 *
 * runs COMMAND, stops it before the N-th of its system calls that follow a path below a
 * directory (openat2, mkdirat, mknodat, symlinkat, linkat, unlinkat, renameat2), runs the
 * command HOOK by bash meanwhile, and lets it go on. Ends with the status of COMMAND; 100
 * when it made fewer calls than that. $STOPAT is the call's name for HOOK.
 *
 *   stopat each HOOK COMMAND [ARG]...
 *
 * runs HOOK before every one of them, and of those that bring something to the disk (fsync,
 * fdatasync, syncfs), and once more at the end of COMMAND. $STOPAT_N counts them from 1.
 *
 *   stopat looks HOOK COMMAND [ARG]...
 *
 * the same, and before those that say what a file is like (newfstatat, fstat).
 *
 *   stopat freezes HOOK COMMAND [ARG]...
 *
 * the same before each time that a cgroup is frozen or thawed, and at the end.
 */
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib.h"

#define FEWER 100

/* So many of the calls below count for a number, and for each. */
#define FOLLOWING 7
#define CHANGING  10

static const struct {
	long number;
	const char *name;
} calls[] = {
	{SYS_openat2, "openat2"},     {SYS_mkdirat, "mkdirat"},
	{SYS_mknodat, "mknodat"},     {SYS_symlinkat, "symlinkat"},
	{SYS_linkat, "linkat"},	      {SYS_unlinkat, "unlinkat"},
	{SYS_renameat2, "renameat2"}, {SYS_fsync, "fsync"},
	{SYS_fdatasync, "fdatasync"}, {SYS_syncfs, "syncfs"},
	{SYS_newfstatat, "fstat"},    {SYS_fstat, "fstat"},
};

/* The name of the call that @pid is about to make, when it is one of the first @n; NULL. */
static const char *entered(pid_t pid, size_t n)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if ((long)info.entry.nr == calls[i].number)
			return calls[i].name;
	return NULL;
}

/* "freeze" when @pid is about to write to a cgroup.freeze; NULL. */
static const char *freezes(pid_t pid)
{
	struct __ptrace_syscall_info info;
	char link[64], file[PATH_MAX];
	ssize_t len;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_pwrite64)
		return NULL;
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)info.entry.args[0]);
	len = readlink(link, file, sizeof(file) - 1);
	file[len < 0 ? 0 : len] = '\0';
	return strstr(file, "/cgroup.freeze") ? "freeze" : NULL;
}

/* By bash, so that HOOK may be a function that was exported (export -f). */
static void run_hook(const char *hook, const char *call)
{
	static int n;
	char number[16];
	pid_t pid;

	snprintf(number, sizeof(number), "%d", ++n);
	pid = fork();
	int status;

	if (!pid) {
		setenv("STOPAT", call, 1);
		setenv("STOPAT_N", number, 1);
		execlp("bash", "bash", "-c", hook, NULL);
		die("bash");
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("hook %s, status %x", hook, status);
}

int main(int argc, char **argv)
{
	bool hit = false, looks = argc > 3 && !strcmp(argv[1], "looks"),
	     freezer = argc > 3 && !strcmp(argv[1], "freezes"),
	     each = looks || freezer || (argc > 3 && !strcmp(argv[1], "each"));
	size_t n = looks ? sizeof(calls) / sizeof(calls[0]) : each ? CHANGING : FOLLOWING;
	int status, left, pass = 0;
	pid_t pid;

	if (argc < 4 || ((left = atoi(argv[1])) < 1 && !each))
		die("usage: stopat N|each|looks|freezes HOOK COMMAND [ARG]...");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		/* LeakSanitizer is a tracer itself, and there can be one only. */
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execvp(argv[3], argv + 3);
		die("%s", argv[3]);
	}
	if (waitpid(pid, &status, 0) != pid ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		die("ptrace");
	while (!ptrace(hit ? PTRACE_CONT : PTRACE_SYSCALL, pid, NULL, pass) &&
	       waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		const char *call = NULL;

		pass = WSTOPSIG(status);
		if (pass == (SIGTRAP | 0x80)) {
			pass = 0;
			call = freezer ? freezes(pid) : entered(pid, n);
		} else if (pass == SIGTRAP) {
			pass = 0; /* execve */
		}
		if (call && each) {
			run_hook(argv[2], call);
		} else if (call && --left == 0) {
			run_hook(argv[2], call);
			hit = true;
		}
	}
	if (!WIFEXITED(status))
		die("%s was killed by signal %d", argv[3], WTERMSIG(status));
	if (each)
		run_hook(argv[2], "exit");
	return hit || each ? WEXITSTATUS(status) : FEWER;
}
