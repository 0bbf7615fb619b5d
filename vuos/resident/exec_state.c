/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vuos/resident/exec_state.h"

#define ALIGN(len) (((len) + 7) & ~(size_t)7)

/* At the begin of a block. */
struct head {
	uint64_t magic;
	uint32_t version;
	uint32_t unused;
	uint64_t len; /* of the block */
};

/* Before each section, whose bytes follow, filled up to a multiple of 8. */
struct section {
	uint32_t type;
	uint32_t unused;
	uint64_t len;
};

void exec_state_begin(struct exec_writer *writer, void *block, size_t room)
{
	*writer = (struct exec_writer){ .block = block, .room = room, .need = sizeof(struct head) };
}

void *exec_state_add(struct exec_writer *writer, enum exec_section_type type, const void *data, size_t len)
{
	struct section *section = (struct section *)(void *)(writer->block + writer->need);
	char *bytes = (char *)(section + 1);

	writer->need += sizeof(*section) + ALIGN(len);
	if (writer->need > writer->room)
		return NULL;
	*section = (struct section){ .type = type, .len = len };
	if (data)
		__builtin_memcpy(bytes, data, len);
	else
		__builtin_memset(bytes, 0, len);
	__builtin_memset(bytes + len, 0, ALIGN(len) - len);
	return bytes;
}

void exec_state_add_text(struct exec_writer *writer, enum exec_section_type type, const char *text)
{
	size_t len = 0;

	while (text[len])
		len++;
	(void)exec_state_add(writer, type, text, len + 1);
}

size_t exec_state_end(struct exec_writer *writer)
{
	struct head *head = (struct head *)(void *)writer->block;

	if (writer->need > writer->room)
		return 0;
	*head = (struct head){ EXEC_STATE_MAGIC, EXEC_STATE_VERSION, 0, writer->need };
	return writer->need;
}

/* The section behind AT; NULL: the block, of LEN bytes, ends there, or (*BAD) is none. */
static const struct section *next_section(const char *block, size_t len, size_t *at, bool *bad)
{
	const struct section *section = (const struct section *)(const void *)(block + *at);
	size_t left = len - *at;

	if (left == 0)
		return NULL;
	*bad = left < sizeof(*section) || section->len > left - sizeof(*section) ||
	       ALIGN(section->len) > left - sizeof(*section);
	if (*bad)
		return NULL;
	*at += sizeof(*section) + ALIGN(section->len);
	return section;
}

bool exec_state_is_valid(const void *block, size_t len)
{
	const struct head *head = block;
	size_t at = sizeof(*head);
	bool bad = false;

	if (len < sizeof(*head) || head->magic != EXEC_STATE_MAGIC || head->version != EXEC_STATE_VERSION ||
	    head->len != len)
		return false;
	while (next_section(block, len, &at, &bad))
		;
	return !bad && exec_state_find(block, EXEC_BASE, sizeof(struct exec_base), NULL);
}

const void *exec_state_find(const void *block, enum exec_section_type type, size_t min, size_t *ret_len)
{
	const struct head *head = block;
	size_t at = sizeof(*head);
	const struct section *section;
	bool bad;

	while ((section = next_section(block, head->len, &at, &bad))) {
		if (section->type != type || section->len < min)
			continue;
		if (ret_len)
			*ret_len = section->len;
		return section + 1;
	}
	return NULL;
}

const char *exec_state_text(const void *block, enum exec_section_type type)
{
	size_t len;
	const char *text = exec_state_find(block, type, 1, &len);

	return text && text[len - 1] == '\0' ? text : NULL;
}
