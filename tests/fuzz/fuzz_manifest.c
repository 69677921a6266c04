/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as a manifest. */
#include "manifest/manifest.h"

#define KIND manifest
#include "round_trip.h"
