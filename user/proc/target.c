/* SPDX-License-Identifier: GPL-2.0-only */
#include "target.h"

#include "base/auto.h"
#include "base/log.h"

void target_init(struct target *target)
{
	*target = (struct target){.kind = TARGET_ALL};
}

void target_fini(struct target *target)
{
	for (size_t i = 0; i < target->n; i++)
		cgroup_fini(&target->cgroups[i]);
	target_init(target);
}

static bool target_has_id(const struct target *target, uint64_t id)
{
	for (size_t i = 0; i < target->n; i++)
		if (target->cgroups[i].id == id)
			return true;
	return false;
}

int target_add_cgroup(struct target *target, const char *spec)
{
	AUTO(cgroup_fini) struct cgroup cg = CGROUP_INIT;
	AUTO_FREE char *why = NULL;
	int err = cgroup_find(spec, &cg, &why);

	if (err) {
		log_error("cgroup %s: %s", spec, why ? why : "out of memory");
		return err;
	}
	if (target_has_id(target, cg.id))
		return 0;
	if (target->n == RT_MAX_TARGETS) {
		log_error("cgroup %s: more than %d cgroups; name a parent instead, its "
			  "descendants are included",
			  spec, RT_MAX_TARGETS);
		return -E2BIG;
	}
	target->kind = TARGET_CGROUPS;
	target->cgroups[target->n++] = cg;
	cg = (struct cgroup)CGROUP_INIT;
	return 0;
}

int target_add_process(struct target *target, pid_t pid)
{
	char spec[32];

	snprintf(spec, sizeof(spec), "pid:%d", pid);
	return target_add_cgroup(target, spec);
}

bool target_has(const struct target *target, pid_t pid, const char *cgroup_path)
{
	switch (target->kind) {
	case TARGET_ALL:
		return true;
	case TARGET_PID:
		return pid == target->pid;
	case TARGET_CGROUPS:
		break;
	}
	for (size_t i = 0; cgroup_path && i < target->n; i++)
		if (cgroup_contains(target->cgroups[i].path, cgroup_path))
			return true;
	return false;
}

int target_specs_add(struct target_specs *specs, const char *kind, const char *text)
{
	if (specs->n == RT_MAX_TARGETS) {
		log_error("more than %d cgroups are named", RT_MAX_TARGETS);
		return -E2BIG;
	}
	specs->specs[specs->n].kind = kind;
	specs->specs[specs->n++].text = text;
	return 0;
}

char *target_specs_text(const struct target_specs *specs, size_t i)
{
	const char *kind = specs->specs[i].kind, *text = specs->specs[i].text;
	char *whole;

	if (asprintf(&whole, "%s%s%s", kind ? kind : "", kind ? ":" : "", text) < 0)
		return NULL;
	return whole;
}

int target_add_specs(struct target *target, const struct target_specs *specs)
{
	for (size_t i = 0; i < specs->n; i++) {
		AUTO_FREE char *text = target_specs_text(specs, i);
		int err = text ? target_add_cgroup(target, text) : -ENOMEM;

		if (err)
			return err;
	}
	return 0;
}
