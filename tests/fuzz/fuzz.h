/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every fuzz target includes: the entry that libFuzzer calls, and a check that stays in. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What has to hold for every input. */
#define FUZZ_CHECK(condition)          \
	do {                           \
		if (!(condition))      \
			abort();       \
	} while (0)
