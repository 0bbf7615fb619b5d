/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is handed on at exec, from anybody. The input is taken as it is, and once more with a head that
 * would be right. What is valid can be read to its end, every section of it.
 */
#include "fuzz.h"

#include "vuos/resident/exec_state.h"

static void read_block(const uint8_t *data, size_t size, const uint64_t *head)
{
	uint8_t *block = malloc(size ? size : 1), sum = 0;
	const uint8_t *bytes;
	const char *text;
	size_t len;

	FUZZ_CHECK(block);
	memcpy(block, data, size);
	if (head && size >= 24)
		memcpy(block, head, 24);
	if (exec_state_is_valid(block, size)) {
		FUZZ_CHECK(exec_state_find(block, EXEC_BASE, sizeof(struct exec_base), NULL));
		for (uint32_t type = 0; type < 16; type++) {
			bytes = exec_state_find(block, type, 0, &len);
			for (size_t i = 0; bytes && i < len; i++)
				sum ^= bytes[i];
			FUZZ_CHECK(!bytes || (bytes >= block && bytes + len <= block + size));
			text = exec_state_text(block, type);
			FUZZ_CHECK(!text || strlen(text) < size);
		}
	}
	FUZZ_CHECK(sum <= 255);
	free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t head[3] = { EXEC_STATE_MAGIC, EXEC_STATE_VERSION, size };

	read_block(data, size, NULL);
	read_block(data, size, head);
	return 0;
}
