/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A call, and a program for it: what is found valid touches nothing but its own. */
#include "fuzz.h"

#include "vuos/resident/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct seccomp_data *data = malloc(sizeof(*data));
	struct sock_filter *code;
	uint32_t used = 0, result;
	size_t len;

	FUZZ_CHECK(data);
	if (size < sizeof(*data) + sizeof(*code)) {
		free(data);
		return 0;
	}
	memcpy(data, bytes, sizeof(*data));
	len = (size - sizeof(*data)) / sizeof(*code);
	code = malloc(len * sizeof(*code));
	FUZZ_CHECK(code);
	memcpy(code, bytes + sizeof(*data), len * sizeof(*code));
	if (filter_is_valid(code, len)) {
		result = filter_run(code, data, &used);
		FUZZ_CHECK(used >> sizeof(*data) / 4 == 0);
		/* The same again: nothing of it depends on what lay in the scratch memory. */
		FUZZ_CHECK(result == filter_run(code, data, &used));
	}
	free(code);
	free(data);
	return 0;
}
