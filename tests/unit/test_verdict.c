/* SPDX-License-Identifier: GPL-2.0-only */
/* CRIU's verdicts, at both sides of its limit. */
#include <sys/stat.h>

#include "criu/verdict.h"

#include "check.h"

static enum verdict verdict(uint32_t mode, uint32_t nlink, uint64_t size,
			    uint64_t allocated, enum rt_holder_kind kind)
{
	struct holder holder = {.kind = kind};
	struct orphan orphan = {.mode = mode,
				.nlink = nlink,
				.size = size,
				.allocated = allocated,
				.holders = &holder,
				.n_holders = kind ? 1 : 0};

	return verdict_of(&orphan);
}

int main(void)
{
	const uint64_t limit = CRIU_GHOST_LIMIT;

	CHECK_INT(verdict(S_IFREG, 0, limit, limit, RT_HOLDER_FD), VERDICT_GHOST);
	CHECK_INT(verdict(S_IFREG, 0, limit + 1, limit, RT_HOLDER_MAP),
		  VERDICT_GHOST_SIZE);
	CHECK_INT(verdict(S_IFREG, 0, limit, limit + 1, RT_HOLDER_FD), VERDICT_TOO_LARGE);
	CHECK_INT(verdict(S_IFREG, 1, limit + 1, limit + 1, RT_HOLDER_FD),
		  VERDICT_LINK_REMAP);
	CHECK_INT(verdict(S_IFDIR, 0, limit + 1, 0, RT_HOLDER_CWD), VERDICT_GHOST);
	CHECK_INT(verdict(S_IFREG, 0, 1, 1, RT_HOLDER_FLIGHT), VERDICT_NOT_SEEN);
	CHECK_INT(verdict(S_IFREG, 1, 1, 1, 0), VERDICT_NOT_SEEN);
	return check_done();
}
