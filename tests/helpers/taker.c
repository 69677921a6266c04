/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes what `restore --listen` hands over:
 *
 *   taker SOCKET OUT [WORD]
 *
 * Writes every message to OUT, a line each, says WORD (taken) when it has all the files,
 * writes the answer too, and becomes got with the files from fd 3 on. With an empty WORD
 * it leaves without one.
 */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib.h"

#define MAX_FDS 4096

/* Where they are until all are there. */
#define ASIDE 5000

static int fds[MAX_FDS], n_fds;

static int connect_or_die(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		die("connect to %s", path);
	return fd;
}

/* Above the numbers that they get at the end. */
static void fds_take(struct msghdr *message)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		int n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int), got[MAX_FDS];

		memcpy(got, CMSG_DATA(header), n * sizeof(int));
		for (int i = 0; i < n; i++) {
			fds[n_fds] = fcntl(got[i], F_DUPFD_CLOEXEC, ASIDE);
			if (fds[n_fds++] < 0)
				die("dup");
			close(got[i]);
		}
	}
}

/* One message, in OUT. What it says of "total"; -1 when there is none. */
static long message_take(int client, FILE *out)
{
	static char text[1 << 20], control[CMSG_SPACE(sizeof(int) * 253)];
	struct iovec bytes = {text, sizeof(text) - 1};
	struct msghdr message = {.msg_iov = &bytes,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(client, &message, MSG_CMSG_CLOEXEC);
	const char *total;

	if (n <= 0 || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		fprintf(stderr, "taker: sent away\n");
		exit(3);
	}
	text[n] = '\0';
	fds_take(&message);
	fprintf(out, "%s\n", text);
	total = strstr(text, "\"total\":");
	return total ? atol(total + 8) : -1;
}

/* Room for all of them twice. Where the limit is too low, only root can raise it. */
static void make_room(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		die("getrlimit");
	if (limit.rlim_cur >= 2 * ASIDE)
		return;
	limit.rlim_cur = 2 * ASIDE;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("setrlimit");
}

int main(int argc, char **argv)
{
	int client = connect_or_die(argv[1]);
	FILE *out = fopen(argv[2], "we");
	const char *word = argc > 3 ? argv[3] : "taken";
	long total;

	if (!geteuid())
		make_room();
	do
		total = message_take(client, out);
	while (n_fds < total);
	if (!*word)
		return 0;
	if (send(client, word, strlen(word), MSG_NOSIGNAL) < 0)
		die("send");
	message_take(client, out);
	fclose(out);
	for (int i = 0; i < n_fds; i++)
		if (dup2(fds[i], 3 + i) < 0)
			die("dup2");
	*strrchr(argv[0], '/') = '\0';
	execl(path_of("%s/got", argv[0]), "got", (char *)NULL);
	die("exec got");
}
