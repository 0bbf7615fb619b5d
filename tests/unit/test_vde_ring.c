/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "wire/vde_ring.h"

/* A message written item by item, by the numbers of the protocol and not by our builder. */
struct raw {
	uint8_t data[2 * VDE_RING_MAX];
	uint32_t len;
};

static void raw_bytes(struct raw *raw, const void *data, size_t len)
{
	memcpy(raw->data + raw->len, data, len);
	raw->len += (uint32_t)len;
	memcpy(raw->data + 4, &raw->len, 4); /* size */
}

static void raw_start(struct raw *raw, uint16_t message, uint32_t error)
{
	const uint32_t magic = 0x52454456;
	const uint16_t major = 1;
	const uint64_t required = 2, offered = 0x8000000000000003;

	memset(raw, 0, sizeof(*raw));
	memcpy(raw->data, &magic, 4);
	memcpy(raw->data + 8, &major, 2);
	memcpy(raw->data + 10, &message, 2);
	memcpy(raw->data + 12, &error, 4);
	memcpy(raw->data + 16, &required, 8);
	memcpy(raw->data + 24, &offered, 8);
	raw->len = 24 + 8;
	raw_bytes(raw, "", 0);
}

static void raw_item(struct raw *raw, uint16_t type, const void *value, uint16_t len)
{
	raw_bytes(raw, &type, 2);
	raw_bytes(raw, &len, 2);
	raw_bytes(raw, value, len);
	raw_bytes(raw, "\0\0\0", -(size_t)len % 4);
}

/* The bytes in memory of their own, so that reading past them is noticed. */
static int parse(const struct raw *raw, size_t len, struct vde_ring_message_parts *ret)
{
	uint8_t *copy = malloc(len + 1); /* 0 bytes, too */
	int r;

	assert_non_null(copy);
	memcpy(copy + 1, raw->data, len);
	r = vde_ring_parse(copy + 1, len, ret);
	free(copy);
	return r;
}

static void raw_everything(struct raw *raw, uint16_t message, uint32_t error)
{
	const uint32_t numbers[] = { 7, 65536 };
	const uint64_t offsets[] = { 4096, 1 << 20 };
	const uint16_t one = 1;

	raw_start(raw, message, error);
	raw_item(raw, 1, &numbers[0], 4);
	raw_item(raw, 2, "", 0);
	raw_item(raw, 3, "\1\2\3\4", 4);
	raw_item(raw, 4, "\0\0\0\0", 4);
	raw_item(raw, 5, "a plug", 6);
	raw_item(raw, 6, &numbers[1], 4);
	raw_item(raw, 7, numbers, 8);
	raw_item(raw, 8, offsets, 16);
	raw_item(raw, 9, &one, 2);
	raw_item(raw, 10, &one, 2);
	raw_item(raw, 11, "0123456789abcdef\1\0\0\0\0\0\0\2", 24);
	raw_item(raw, 12, "no", 2);
}

static void all_items(void **state)
{
	struct vde_ring_message_parts parts;
	struct raw raw;

	(void)state;
	raw_everything(&raw, 1, 0);
	assert_int_equal(parse(&raw, raw.len, &parts), 0);
	assert_int_equal(parts.message, VDE_RING_HELLO);
	assert_int_equal(parts.major, 1);
	assert_int_equal(parts.required, 2);
	assert_int_equal(parts.offered, 0x8000000000000003);
	assert_int_equal(parts.port, 7);
	assert_true(parts.management && parts.has_group && parts.has_mode && parts.has_session);
	assert_memory_equal(&parts.group, "\1\2\3\4", 4);
	assert_int_equal(parts.mode, 0);
	assert_string_equal(parts.description, "a plug");
	assert_int_equal(parts.max_frame, 65536);
	assert_int_equal(parts.sizes[0], 7);
	assert_int_equal(parts.sizes[1], 65536);
	assert_int_equal(parts.offsets[0], 4096);
	assert_int_equal(parts.offsets[1], 1 << 20);
	assert_int_equal(parts.queue_pairs, 1);
	assert_int_equal(parts.kind, VDE_RING_KIND_DEVICE);
	assert_memory_equal(parts.session, "0123456789abcdef", 16);
	assert_memory_equal(&parts.epoch, "\1\0\0\0\0\0\0\2", 8);
	assert_string_equal(parts.text, "no");
}

static void nothing_said(void **state)
{
	struct vde_ring_message_parts parts, none = { .message = VDE_RING_WELCOME, .major = 1,
						      .required = 2,
						      .offered = 0x8000000000000003 };
	struct raw raw;

	(void)state;
	raw_start(&raw, 2, 0);
	assert_int_equal(parse(&raw, raw.len, &parts), 0);
	assert_memory_equal(&parts, &none, sizeof(none));
}

/* What is built is what would be written by hand, and is read again. */
static void building(void **state)
{
	struct vde_ring_message_parts parts, again;
	struct strbuf out CLEANUP(strbuf_done) = { 0 };
	struct raw raw;

	(void)state;
	raw_everything(&raw, 3, 111);
	assert_int_equal(parse(&raw, raw.len, &parts), 0);
	vde_ring_build(&parts, &out);
	assert_int_equal(out.error, 0);
	assert_int_equal(out.len, raw.len);
	assert_memory_equal(out.data, raw.data, raw.len);
	assert_int_equal(vde_ring_parse(out.data, out.len, &again), 0);
	assert_memory_equal(&parts, &again, sizeof(parts));
	strbuf_clear(&out);
	strbuf_puts(&out, "before"); /* it is appended */
	parts = (struct vde_ring_message_parts){ .message = VDE_RING_HELLO };
	vde_ring_build(&parts, &out);
	assert_int_equal(out.len, 6 + 32);
	assert_int_equal(vde_ring_parse(out.data + 6, 32, &again), 0);
	assert_int_equal(again.message, VDE_RING_HELLO);
	assert_false(again.has_group || again.has_mode || again.management || again.has_session);
}

static void building_texts(void **state)
{
	struct vde_ring_message_parts parts = { .message = VDE_RING_HELLO }, again;
	struct strbuf out CLEANUP(strbuf_done) = { .limit = VDE_RING_MAX };

	(void)state;
	memset(parts.description, 'd', sizeof(parts.description)); /* not terminated */
	memset(parts.text, 't', sizeof(parts.text));
	vde_ring_build(&parts, &out);
	assert_int_equal(vde_ring_parse(out.data, out.len, &again), 0);
	assert_int_equal(strlen(again.description), 127);
	assert_int_equal(strlen(again.text), VDE_RING_TEXT_SIZE - 1);
	out.limit = out.len = 10; /* no room: an error, and nothing written past it */
	vde_ring_build(&parts, &out);
	assert_int_equal(out.error, -EMSGSIZE);
}

static void every_length(void **state)
{
	struct vde_ring_message_parts parts;
	struct raw raw;

	(void)state;
	raw_everything(&raw, 1, 0);
	for (uint32_t len = 0; len < raw.len; len++) { /* cut, and it says so or not */
		struct raw cut = raw;

		assert_int_equal(parse(&cut, len, &parts), -EBADMSG);
		memcpy(cut.data + 4, &len, 4);
		if (parse(&cut, len, &parts) == 0) /* the padding of a last item is not missed */
			assert_true(len >= 32);
		else
			assert_int_equal(parse(&cut, len, &parts), -EBADMSG);
	}
	raw.len = VDE_RING_MAX + 4; /* as it stands, with END and zeros behind it */
	raw_bytes(&raw, "", 0);
	assert_int_equal(parse(&raw, raw.len, &parts), -EBADMSG);
	raw.len = VDE_RING_MAX;
	raw_bytes(&raw, "", 0);
	assert_int_equal(parse(&raw, raw.len, &parts), 0);
}

struct damage {
	const char *what;
	size_t at;
	const char *bytes;
	size_t len;
	int result;
};

static void headers(void **state)
{
	static const struct damage damages[] = {
		{ "magic", 0, "\x57", 1, -EBADMSG },
		{ "larger", 4, "\x21", 1, -EBADMSG },
		{ "smaller", 4, "\x1f", 1, -EBADMSG },
		{ "huge", 4, "\xff\xff\xff\xff", 4, -EBADMSG },
		{ "version 0", 8, "\0", 1, -EPROTONOSUPPORT },
		{ "version 2", 8, "\2", 1, -EPROTONOSUPPORT },
		{ "version 257", 9, "\1", 1, -EPROTONOSUPPORT },
		{ "no message", 10, "\0", 1, -EBADMSG },
		{ "TAKEOVER", 10, "\4", 1, 0 },
		{ "message 5", 10, "\5", 1, -EBADMSG },
		{ "an error in HELLO", 12, "\1", 1, -EBADMSG },
		{ "REFUSAL without an error", 10, "\3", 1, -EBADMSG },
		{ "REFUSAL", 10, "\3\0\1\0", 4, 0 },
		{ "the largest error", 10, "\3\0\xff\x0f", 4, 0 },
		{ "no error of the kernel's", 10, "\3\0\0\x10", 4, -EBADMSG },
		{ "a negative error", 10, "\3\0\xff\xff\xff\xff", 6, -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		const struct damage *d = &damages[i];
		struct vde_ring_message_parts parts;
		struct raw raw;
		int r;

		raw_start(&raw, 1, 0);
		memcpy(raw.data + d->at, d->bytes, d->len);
		r = parse(&raw, raw.len, &parts);
		if (r != d->result)
			fail_msg("%s: %d", d->what, r);
	}
}

static void lengths_of_items(void **state)
{
	static const uint8_t lens[] = { [1] = 4, [2] = 0, [3] = 4, [4] = 4, [6] = 4, [7] = 8, [8] = 16,
					[9] = 2, [10] = 2, [11] = 24 };
	static const char value[300] = "value";
	struct vde_ring_message_parts parts;
	struct raw raw;

	(void)state;
	for (uint16_t type = 1; type <= 11; type++)
		for (uint16_t len = 0; len < 40 && type != 5; len++) {
			raw_start(&raw, 1, 0);
			raw_item(&raw, type, value, len);
			assert_int_equal(parse(&raw, raw.len, &parts),
					 len == lens[type] ? 0 : -EBADMSG);
		}
	for (int text = 0; text < 2; text++)
		for (uint16_t len = 0; len < 300; len++) {
			raw_start(&raw, 1, 0);
			raw_item(&raw, text ? 12 : 5, value, len);
			assert_int_equal(parse(&raw, raw.len, &parts),
					 len <= (text ? 255 : 127) ? 0 : -EBADMSG);
		}
}

static void unknown_items(void **state)
{
	struct vde_ring_message_parts parts;
	struct raw raw;

	(void)state;
	raw_start(&raw, 1, 0);
	raw_item(&raw, 99, "whatever it is", 14);
	raw_item(&raw, 0x7fff, "", 0);
	raw_item(&raw, 5, "known", 5);
	assert_int_equal(parse(&raw, raw.len, &parts), 0);
	assert_string_equal(parts.description, "known");
	raw_item(&raw, 0x8000 | 6, "\1\0\0\0", 4); /* one that we know may be critical */
	assert_int_equal(parse(&raw, raw.len, &parts), 0);
	assert_int_equal(parts.max_frame, 1);
	raw_item(&raw, 0x8000 | 99, "", 0);
	raw_item(&raw, 1, "\1\0\0\0", 4);
	assert_int_equal(parse(&raw, raw.len, &parts), -EPROTONOSUPPORT);
	assert_string_equal(parts.description, "known"); /* what came before, for the log */
	assert_int_equal(parts.port, 0);
}

static void end_of_items(void **state)
{
	struct vde_ring_message_parts parts;
	struct raw raw;

	(void)state;
	raw_start(&raw, 1, 0);
	raw_item(&raw, 0, "", 0);
	raw_item(&raw, 0x8000 | 99, "", 0); /* not read */
	assert_int_equal(parse(&raw, raw.len, &parts), 0);
	raw_start(&raw, 1, 0);
	raw_bytes(&raw, "\5\0\3\0abc", 7); /* a last value without its padding */
	assert_int_equal(parse(&raw, raw.len, &parts), 0);
	assert_string_equal(parts.description, "abc");
	raw_start(&raw, 1, 0);
	raw_bytes(&raw, "\5\0\4\0abc", 7);
	assert_int_equal(parse(&raw, raw.len, &parts), -EBADMSG);
	raw_start(&raw, 1, 0);
	raw_bytes(&raw, "\5\0\xff\xff", 4);
	assert_int_equal(parse(&raw, raw.len, &parts), -EBADMSG);
	raw_start(&raw, 1, 0);
	raw_bytes(&raw, "\5\0\0", 3); /* half an item */
	assert_int_equal(parse(&raw, raw.len, &parts), -EBADMSG);
}

static void texts(void **state)
{
	struct vde_ring_message_parts parts;
	struct raw raw;

	(void)state;
	raw_start(&raw, 1, 0);
	raw_item(&raw, 5, "a\n.\n\x1b[0m\x7f\xc3\xa9\0z", 13);
	raw_item(&raw, 12, "\r", 1);
	assert_int_equal(parse(&raw, raw.len, &parts), 0);
	assert_string_equal(parts.description, "a?.??[0m?\xc3\xa9?z");
	assert_string_equal(parts.text, "?");
	raw_item(&raw, 5, "again", 5); /* the last one counts */
	assert_int_equal(parse(&raw, raw.len, &parts), 0);
	assert_string_equal(parts.description, "again");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_items),
		cmocka_unit_test(nothing_said),
		cmocka_unit_test(building),
		cmocka_unit_test(building_texts),
		cmocka_unit_test(every_length),
		cmocka_unit_test(headers),
		cmocka_unit_test(lengths_of_items),
		cmocka_unit_test(unknown_items),
		cmocka_unit_test(end_of_items),
		cmocka_unit_test(texts),
	};

	return RUN_TESTS(tests);
}
