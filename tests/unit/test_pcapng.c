/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "wire/cursor.h"
#include "wire/pcapng.h"

/*
 * Takes the next block off C, checks what all blocks have in common, and returns its body.
 * draft-ietf-opsawg-pcapng 3.1: type, length, body padded to 32 bits, length again.
 */
static struct cursor next_block(struct cursor *c, uint32_t wanted_type)
{
	uint32_t type = cursor_host32(c), len = cursor_host32(c);
	struct cursor body;

	assert_int_equal(type, wanted_type);
	assert_true(len >= 12 && len % 4 == 0);
	body = cursor_cut(c, len - 12);
	assert_int_equal(cursor_host32(c), len);
	assert_true(c->ok && body.ok);
	return body;
}

static uint16_t host16(struct cursor *c)
{
	uint16_t value = 0;

	assert_true(cursor_copy(c, &value, sizeof(value)));
	return value;
}

/* The next option's code; its value goes to *ret. The list ends with code 0, length 0. */
static uint16_t next_option(struct cursor *body, struct cursor *ret)
{
	uint16_t code = host16(body), len = host16(body);

	*ret = cursor_cut(body, len);
	(void)cursor_take(body, (4 - len % 4) % 4);
	assert_true(body->ok);
	if (code == 0) {
		assert_int_equal(len, 0);
		assert_int_equal(body->left, 0);
	}
	return code;
}

static void assert_text_option(struct cursor *body, uint16_t code, const char *text)
{
	struct cursor value;

	assert_int_equal(next_option(body, &value), code);
	assert_int_equal(value.left, strlen(text));
	assert_memory_equal(value.at, text, value.left);
}

static void section(void **state)
{
	auto_strbuf struct strbuf out = { 0 };
	struct cursor c, body, value;

	(void)state;
	pcapng_section(&out, "unit test");
	c = cursor_of(out.data, out.len);
	body = next_block(&c, 0x0a0d0d0a);
	assert_int_equal(cursor_host32(&body), 0x1a2b3c4d);
	assert_int_equal(host16(&body), 1);
	assert_int_equal(host16(&body), 0);
	assert_memory_equal(cursor_take(&body, 8), "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	assert_text_option(&body, 4, "unit test");
	assert_int_equal(next_option(&body, &value), 0);
	assert_int_equal(c.left, 0);
}

static void interface(void **state)
{
	auto_strbuf struct strbuf out = { 0 };
	struct cursor c, body, value;

	(void)state;
	pcapng_interface(&out, "port1", "a description", 96);
	pcapng_interface(&out, NULL, "", 0);
	c = cursor_of(out.data, out.len);
	body = next_block(&c, 1);
	assert_int_equal(host16(&body), PCAPNG_LINKTYPE_ETHERNET);
	assert_int_equal(host16(&body), 0);
	assert_int_equal(cursor_host32(&body), 96);
	assert_text_option(&body, 2, "port1");
	assert_text_option(&body, 3, "a description");
	assert_int_equal(next_option(&body, &value), 9);
	assert_int_equal(cursor_u8(&value), 9);
	assert_int_equal(next_option(&body, &value), 0);
	body = next_block(&c, 1); /* without texts */
	(void)cursor_take(&body, 8);
	assert_int_equal(next_option(&body, &value), 9);
	assert_int_equal(c.left, 0);
}

static void packets(void **state)
{
	const uint64_t time = UINT64_C(0x0123456789abcdef);
	uint8_t data[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

	(void)state;
	for (size_t len = 0; len <= sizeof(data); len++) {
		auto_strbuf struct strbuf out = { 0 };
		struct cursor c, body, value;

		pcapng_packet(&out, 3, time, data, len, 1000 + len, PCAPNG_OUTBOUND);
		c = cursor_of(out.data, out.len);
		body = next_block(&c, 6);
		assert_int_equal(cursor_host32(&body), 3);
		assert_int_equal(cursor_host32(&body), 0x01234567);
		assert_int_equal(cursor_host32(&body), 0x89abcdef);
		assert_int_equal(cursor_host32(&body), len);
		assert_int_equal(cursor_host32(&body), 1000 + len);
		assert_memory_equal(cursor_take(&body, len), data, len);
		(void)cursor_take(&body, (4 - len % 4) % 4);
		assert_int_equal(next_option(&body, &value), 2);
		assert_int_equal(cursor_host32(&value), PCAPNG_OUTBOUND);
		assert_int_equal(next_option(&body, &value), 0);
		assert_int_equal(c.left, 0);
	}
}

static void statistics(void **state)
{
	auto_strbuf struct strbuf out = { 0 };
	struct cursor c, body, value;
	uint64_t number;

	(void)state;
	pcapng_statistics(&out, 1, 5, UINT64_C(1) << 40, 7);
	c = cursor_of(out.data, out.len);
	body = next_block(&c, 5);
	assert_int_equal(cursor_host32(&body), 1);
	(void)cursor_take(&body, 8);
	assert_int_equal(next_option(&body, &value), 4);
	assert_true(cursor_copy(&value, &number, 8));
	assert_int_equal(number, UINT64_C(1) << 40);
	assert_int_equal(next_option(&body, &value), 5);
	assert_true(cursor_copy(&value, &number, 8));
	assert_int_equal(number, 7);
}

static void full_buffer(void **state)
{
	(void)state;
	for (size_t limit = 1; limit < 80; limit++) {
		auto_strbuf struct strbuf out = { .limit = limit };

		pcapng_packet(&out, 0, 0, "0123456789", 10, 10, PCAPNG_INBOUND);
		assert_int_equal(out.error, limit >= 56 ? 0 : -EMSGSIZE);
		assert_true(out.len <= limit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(section),
		cmocka_unit_test(interface),
		cmocka_unit_test(packets),
		cmocka_unit_test(statistics),
		cmocka_unit_test(full_buffer),
	};

	return RUN_TESTS(tests);
}
