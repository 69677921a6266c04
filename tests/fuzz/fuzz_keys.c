/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as the keys of a dump by CRIU. */
#include "criu/keys.h"

#define KIND criu_keys
#include "round_trip.h"
