/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call's number, its arguments, its result, and then the program's memory: what a read of it gives,
 * one after the other, whichever address is asked for. So pointers lead anywhere and every read may
 * tell something else. When the input is used up, reads fail.
 */
#include "fuzz.h"

#include "tests/unit/json_check.h"
#include "vuos/resident/call_format.h"

struct input {
	const uint8_t *data;
	size_t left;
};

static int take(void *context, uint64_t address, void *to, size_t len)
{
	struct input *in = context;

	FUZZ_CHECK(len <= 512);
	if (in->left < len || address % 251 == 0)
		return -1;
	memcpy(to, in->data, len);
	in->data += len;
	in->left -= len;
	return 0;
}

struct head {
	uint16_t number;
	uint8_t form, room;
	int32_t result;
	uint64_t arguments[6];
};

/* Both parts into a buffer of exactly ROOM bytes; the length they want. */
static size_t write_call(const struct call_format *f, const struct head *h, size_t room)
{
	char *to = malloc(room ? room : 1);
	size_t len, used;

	FUZZ_CHECK(to);
	len = call_format_enter(f, h->number % 512, h->arguments, to, room);
	FUZZ_CHECK(!room || strlen(to) == (len < room ? len : room - 1));
	used = len < room ? len : room;
	len += call_format_exit(f, h->number % 512, h->arguments, h->result, to + used, room - used);
	if (room > len && f->form == CALL_JSON && h->number % 512 != 60 && h->number % 512 != 231)
		FUZZ_CHECK(json_check(to));
	free(to);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;
	struct call_format f = {
		.string_max = CALL_STRING_MAX, .elements_max = 8, .read = take, .context = &in
	};
	struct head h;
	size_t len;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	f.form = h.form & 1 ? CALL_JSON : CALL_TEXT;
	in = (struct input){ data + sizeof(h), size - sizeof(h) };
	len = write_call(&f, &h, h.room);
	in = (struct input){ data + sizeof(h), size - sizeof(h) };
	FUZZ_CHECK(len < 1 << 20);
	write_call(&f, &h, (size_t)1 << 20);
	return 0;
}
