/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a console says, cut into pieces of a size that the first byte gives: the items have to be the
 * same as when it comes in one piece.
 */
#include "fuzz.h"

#include "vde/mgmt/session.h"

/* Writes the items down, one line each. */
static void note(struct strbuf *out, const struct mgmt_item *item)
{
	FUZZ_CHECK(item->kind < MGMT_NUM_KINDS);
	FUZZ_CHECK(item->number >= 0 && item->number < 1000000);
	FUZZ_CHECK(item->text && !memchr(item->text, '\n', item->len));
	FUZZ_CHECK(item->kind == MGMT_PROMPT || item->text[item->len] == '\0');
	strbuf_printf(out, "%d %d %d ", (int)item->kind, item->number, item->greeting);
	strbuf_append(out, item->text, item->len);
	strbuf_putc(out, '\n');
}

static void parse(const uint8_t *data, size_t size, size_t piece, struct strbuf *out)
{
	struct mgmt_session session = { 0 };
	struct mgmt_item item;

	while (size) {
		size_t len = piece && piece < size ? piece : size;
		uint8_t *exact = malloc(len);

		FUZZ_CHECK(exact);
		memcpy(exact, data, len);
		FUZZ_CHECK(mgmt_session_feed(&session, exact, len) == 0);
		free(exact);
		while (mgmt_session_next(&session, &item))
			note(out, &item);
		data += len;
		size -= len;
	}
	FUZZ_CHECK(strlen(mgmt_session_prompt(&session)) < MGMT_PROMPT_SIZE);
	mgmt_session_done(&session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf whole = { 0 }, pieces = { 0 };

	if (!size)
		return 0;
	parse(data + 1, size - 1, 0, &whole);
	parse(data + 1, size - 1, data[0], &pieces);
	FUZZ_CHECK(whole.len == pieces.len);
	FUZZ_CHECK(!whole.len || memcmp(whole.data, pieces.data, whole.len) == 0);
	strbuf_done(&whole);
	strbuf_done(&pieces);
	return 0;
}
