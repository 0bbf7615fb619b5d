/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls that only a view has: their numbers are negative. */
#pragma once

#include "vuos/resident/dispatch.h"

/* Of a negative number. */
const struct call_entry *virtual_entry(uint64_t number);
