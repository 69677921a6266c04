/* SPDX-License-Identifier: GPL-2.0-only */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t pending;

static void interrupt_set(int signal)
{
	(void)signal;
	pending = 1;
}

void interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = interrupt_set};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGXFSZ, SIG_IGN);
}

bool interrupt_pending(void)
{
	return pending;
}
