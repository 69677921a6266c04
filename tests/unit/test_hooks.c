/* SPDX-License-Identifier: GPL-2.0-only */
/* Skipped programs: how many events nobody saw. */
#include "bpf/hooks.h"
#include "check.h"

static void add(struct hooks *hooks, const char *name)
{
	hooks_add(hooks, name, -1);
}

/* As they come from a folder: in any order. */
static struct hooks some_hooks(void)
{
	struct hooks hooks = {};

	add(&hooks, "rt_fx_unlink_3");
	add(&hooks, "rt_fx_unlink_2");
	add(&hooks, "rt_kp_move");
	add(&hooks, "rt_fe_unlink");
	add(&hooks, "rt_fx_unlink");
	return hooks;
}

static void test_order(void)
{
	struct hooks hooks = some_hooks();

	CHECK_INT(hooks.n, 5);
	CHECK_STR(hooks.all[0].name, "rt_fe_unlink");
	CHECK_STR(hooks.all[1].name, "rt_fx_unlink");
	CHECK_STR(hooks.all[2].name, "rt_fx_unlink_2");
	CHECK_STR(hooks.all[3].name, "rt_fx_unlink_3");
	CHECK_STR(hooks.all[4].name, "rt_kp_move");
}

static void test_rank(void)
{
	CHECK_INT(hook_rank("rt_fx_unlink"), 1);
	CHECK_INT(hook_rank("rt_fx_unlink_2"), 2);
	CHECK_INT(hook_rank("rt_fx_unlink_3"), 3);
	CHECK_INT(hook_rank("rt_fx_unlink_1"), 1);
	CHECK_INT(hook_rank("rt_fx_unlink_x"), 1);
	CHECK_INT(hook_rank("_2"), 1);
	CHECK_INT(hook_rank(""), 1);
}

static void test_missed(void)
{
	struct hooks hooks = some_hooks();
	struct rt_stats none = {}, now = {};

	CHECK_INT(hooks_missed(&hooks, &none, &now), 0);
	now.skipped[1] = 7; /* the first to be called saw them */
	now.skipped[2] = 6;
	CHECK_INT(hooks_missed(&hooks, &none, &now), 0);
	now.skipped[3] = 5;
	CHECK_INT(hooks_missed(&hooks, &none, &now), 5);
	now.seen_alone = 3; /* by others */
	CHECK_INT(hooks_missed(&hooks, &none, &now), 2);
	now.marks_lost = 1; /* one of these may have been seen twice */
	CHECK_INT(hooks_missed(&hooks, &none, &now), 3);
	now.skipped[1] = 1;
	CHECK_INT(hooks_missed(&hooks, &none, &now), 1);
	now.skipped[1] = 7;
	now.skipped[2] = 2;
	CHECK_INT(hooks_missed(&hooks, &none, &now), 2);
	now.skipped[4] = 3; /* is alone */
	CHECK_INT(hooks_missed(&hooks, &none, &now), 5);
	CHECK_INT(hooks_missed(&hooks, &now, &now), 0);
}

/* What is not of the same hook does not belong to it. */
static void test_apart(void)
{
	struct hooks hooks = {};
	struct rt_stats none = {}, now = {.skipped = {1, 1, 1}};

	add(&hooks, "rt_fx_a");
	add(&hooks, "rt_fx_b");
	add(&hooks, "rt_fx_b_2");
	CHECK_INT(hooks_missed(&hooks, &none, &now), 2);
	now.seen_alone = 1;
	CHECK_INT(hooks_missed(&hooks, &none, &now), 1);
}

/* Whom the first was skipped for may come to another yet. */
static void test_between(void)
{
	struct hooks hooks = some_hooks();
	struct rt_stats none = {}, now = {.seen_alone = 4};

	CHECK_INT(hooks_between(&hooks, &none, &now), 0);
	now.skipped[3] = 7;
	CHECK_INT(hooks_between(&hooks, &none, &now), 3);
	now.seen_alone = 7;
	CHECK_INT(hooks_between(&hooks, &none, &now), 0);
	now.seen_alone = 8; /* counted since the others were read */
	CHECK_INT(hooks_between(&hooks, &none, &now), 0);
	now.skipped[4] = 2; /* is alone */
	CHECK_INT(hooks_between(&hooks, &none, &now), 0);
}

/* Called in the other order, the mark is never there. */
static void test_other_order(void)
{
	struct hooks hooks = some_hooks();
	struct rt_stats none = {}, now = {.seen_alone = 1000};

	CHECK_INT(hooks_missed(&hooks, &none, &now), 0);
	now.skipped[1] = 3;
	now.skipped[2] = 4;
	now.skipped[3] = 2;
	CHECK_INT(hooks_missed(&hooks, &none, &now), 2);
}

static void test_wrapped(void)
{
	struct hooks hooks = {};
	struct rt_stats before = {.skipped = {UINT32_MAX}}, now = {.skipped = {1}};

	add(&hooks, "rt_kp_move");
	CHECK_INT(hooks_missed(&hooks, &before, &now), 2);
}

static void test_full(void)
{
	struct hooks hooks = {};

	for (int i = 0; i < RT_MAX_HOOKS + 1; i++)
		add(&hooks, "rt_kp_move");
	CHECK_INT(hooks.n, RT_MAX_HOOKS);
}

int main(void)
{
	test_order();
	test_rank();
	test_missed();
	test_apart();
	test_between();
	test_other_order();
	test_wrapped();
	test_full();
	return check_done();
}
