/* SPDX-License-Identifier: GPL-2.0-only */
#include "outlook.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/json.h"
#include "base/log.h"
#include "base/why.h"
#include "orphan/orphan_json.h"
#include "scan/scan.h"
#include "verdict.h"

void outlook_init(struct outlook *outlook)
{
	*outlook = (struct outlook){.depot = DEPOT_INIT};
	orphan_set_init(&outlook->set);
}

void outlook_fini(struct outlook *outlook)
{
	free(outlook->forecasts);
	forecasts_fini(&outlook->mounts);
	depot_fini(&outlook->depot);
	orphan_set_fini(&outlook->set);
}

static int look(struct outlook *out, const struct target *target, bool stop)
{
	int ret = scan(target, NULL, &out->set);

	if (ret)
		return ret;
	out->forecasts = calloc(out->set.n + 1, sizeof(*out->forecasts));
	if (!out->forecasts)
		return -ENOMEM;
	for (size_t i = 0; i < out->set.n; i++) {
		ret = forecast(&out->mounts, &out->set.orphans[i], METHOD_AUTO, stop,
			       &out->forecasts[i]);
		if (ret)
			return ret;
		out->n_failing += out->forecasts[i].method == METHOD_AUTO;
		out->bytes += out->forecasts[i].bytes;
		out->seconds += out->forecasts[i].seconds;
	}
	return 0;
}

int outlook_store(struct outlook *outlook, const char *path,
		  const struct depot_mounts *mounts)
{
	AUTO_FREE char *why = NULL;
	int ret = depot_try(&outlook->depot, path, mounts, path, &why);

	if (ret)
		log_error("%s", why_text(why));
	else
		outlook->mounts.depot = &outlook->depot;
	return ret;
}

int outlook_look(struct outlook *outlook, const struct target *target, bool stop)
{
	int ret = look(outlook, target, stop);

	if (ret)
		log_error("the open files cannot be read: %s%s", strerror(-ret),
			  caps_missing(CAPS_PROC_READ));
	return ret;
}

const char *outlook_plan(const struct forecast *forecast)
{
	return forecast->method == METHOD_AUTO ? "fail" : method_name(forecast->method);
}

static json_t *json_of(const struct orphan *orphan, const struct forecast *forecast)
{
	enum verdict verdict = verdict_of(orphan);
	json_t *object = json_from_orphan(orphan);
	int ret = json_set(object, "criu",
			   json_pack("{s:s,s:s}", "verdict", verdict_name(verdict),
				     "text", verdict_text(verdict)));

	ret = ret
		      ?: json_set(object, "relinktrace",
				  json_pack("{s:s,s:s?,s:I,s:f}", "method",
					    outlook_plan(forecast), "why", forecast->why,
					    "bytes", (json_int_t)forecast->bytes,
					    "seconds", forecast->seconds));
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

json_t *outlook_to_json(const struct outlook *outlook)
{
	json_t *orphans = json_array();
	json_t *root;
	int ret = 0;

	for (size_t i = 0; i < outlook->set.n && !ret; i++)
		ret = json_array_append_new(orphans, json_of(&outlook->set.orphans[i],
							     &outlook->forecasts[i]));
	root = json_pack("{s:s,s:b,s:I,s:I,s:f,s:o}", "schema", "relinktrace.check/1",
			 "complete", outlook->set.complete, "failing",
			 (json_int_t)outlook->n_failing, "bytes",
			 (json_int_t)outlook->bytes, "seconds", outlook->seconds,
			 "orphans", orphans);
	if (!ret)
		return root;
	json_decref(root);
	return NULL;
}
