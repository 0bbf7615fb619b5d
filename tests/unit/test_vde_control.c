/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "wire/vde_control.h"

#define PATH "/run/vde/.00042-00000"

/* A request as another program would write it: offsets of the protocol, not our builder. */
static size_t write_v3(uint8_t out[VDE_CONTROL_MAX], uint32_t magic, uint32_t version, uint32_t type,
		       const char *path, const char *descr)
{
	uint16_t family = AF_UNIX;
	size_t len = MIN(strlen(descr), VDE_CONTROL_MAX - VDE_CONTROL_HEADER_V3);

	memset(out, 0, VDE_CONTROL_MAX);
	memcpy(out, &magic, 4);
	memcpy(out + 4, &version, 4);
	memcpy(out + 8, &type, 4);
	memcpy(out + 12, &family, 2);
	memcpy(out + 14, path, strlen(path));
	memcpy(out + 122, descr, len);
	return 122 + len;
}

static size_t write_v1(uint8_t out[VDE_CONTROL_MAX], uint32_t type, const char *path,
		       const char *descr)
{
	uint32_t magic = VDE_CONTROL_MAGIC;
	uint16_t family = AF_UNIX;

	memset(out, 0, VDE_CONTROL_MAX);
	memcpy(out, &magic, 4);
	memcpy(out + 4, &type, 4);
	memset(out + 8, 0xee, 6);
	memcpy(out + 14, &family, 2);
	memcpy(out + 16, path, strlen(path));
	memcpy(out + 124, descr, strlen(descr));
	return 124 + strlen(descr);
}

static void version_3(void **state)
{
	uint8_t data[VDE_CONTROL_MAX];
	struct vde_control request;
	size_t len = write_v3(data, 0xfeedface, 3, 7 << 8, PATH, "a plug: user=me");

	(void)state;
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_OK);
	assert_int_equal(request.version, 3);
	assert_int_equal(request.type, VDE_CONTROL_NEW_PORT);
	assert_int_equal(request.port, 7);
	assert_string_equal(request.address.sun_path, PATH);
	assert_string_equal(request.description, "a plug: user=me");
	len = write_v3(data, 0xfeedface, 3, 0xffffff01, PATH, "");
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_OK);
	assert_int_equal(request.type, VDE_CONTROL_NEW_PORT_0);
	assert_int_equal(request.port, VDE_CONTROL_PORT_MAX);
	assert_string_equal(request.description, "");
}

static void version_1(void **state)
{
	uint8_t data[VDE_CONTROL_MAX];
	struct vde_control request;

	(void)state;
	for (uint32_t type = 0; type <= 1; type++) {
		size_t len = write_v1(data, type, PATH, "old");

		assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_OK);
		assert_int_equal(request.version, 1);
		assert_int_equal(request.type, type);
		assert_int_equal(request.port, 0);
		assert_string_equal(request.address.sun_path, PATH);
		assert_string_equal(request.description, "old");
	}
}

static void refusals(void **state)
{
	uint8_t data[VDE_CONTROL_MAX];
	struct vde_control request = { 0 };
	size_t len = write_v3(data, 0xfeedfacd, 3, 0, PATH, "x");

	(void)state;
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_BAD_MAGIC);
	assert_int_equal(vde_control_parse(data, 4, &request), VDE_CONTROL_BAD_MAGIC);
	len = write_v3(data, 0xfeedface, 2, 0, PATH, "x");
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_BAD_VERSION);
	assert_int_equal(request.version, 2);
	len = write_v3(data, 0xfeedface, 4, 0, PATH, "x");
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_BAD_VERSION);
	assert_int_equal(request.version, 4);
}

static void bad_addresses(void **state)
{
	uint8_t data[VDE_CONTROL_MAX];
	struct vde_control request = { .version = 99 };
	uint16_t family = 2;
	size_t len = write_v3(data, 0xfeedface, 3, 0, "", "x");

	(void)state;
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_BAD_ADDRESS);
	len = write_v3(data, 0xfeedface, 3, 0, PATH, "x");
	memcpy(data + 12, &family, 2);
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_BAD_ADDRESS);
	len = write_v3(data, 0xfeedface, 3, 0, PATH, "x");
	memset(data + 14, 'x', 108);
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_BAD_ADDRESS);
	data[14 + 107] = '\0';
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_OK);
	assert_int_equal(strlen(request.address.sun_path), 107);
}

static void every_length(void **state)
{
	uint8_t data[VDE_CONTROL_MAX];
	struct vde_control request = { .version = 99 };

	(void)state;
	(void)write_v3(data, 0xfeedface, 3, 0, PATH, "description");
	for (size_t len = 0; len < 122; len++)
		assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_SHORT);
	assert_int_equal(request.version, 99);
	assert_int_equal(vde_control_parse(data, 122, &request), VDE_CONTROL_OK);
	(void)write_v1(data, 0, PATH, "description");
	for (size_t len = 0; len < 124; len++)
		assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_SHORT);
	assert_int_equal(vde_control_parse(data, 124, &request), VDE_CONTROL_OK);
}

static void descriptions(void **state)
{
	uint8_t data[VDE_CONTROL_MAX];
	struct vde_control request;
	char text[300];
	size_t len;

	(void)state;
	memset(text, 'd', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	len = write_v3(data, 0xfeedface, 3, 0, PATH, text);
	assert_int_equal(len, VDE_CONTROL_MAX);
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_OK);
	assert_int_equal(strlen(request.description), VDE_CONTROL_DESCR_SIZE - 1);
	/* what would break the lines of the console */
	len = write_v3(data, 0xfeedface, 3, 0, PATH, "a\n.\n1000 Success\n\x1b[0m\x7f\xc3\xa9");
	assert_int_equal(vde_control_parse(data, len, &request), VDE_CONTROL_OK);
	assert_string_equal(request.description, "a?.?1000 Success??[0m?\xc3\xa9");
	len = write_v3(data, 0xfeedface, 3, 0, PATH, "x");
	assert_int_equal(vde_control_parse(data, len + 5, &request), VDE_CONTROL_OK);
	assert_string_equal(request.description, "x"); /* with its NUL and more */
}

static void building(void **state)
{
	struct vde_control request = { .version = 3, .type = 1, .port = 300,
				       .address = { .sun_family = AF_UNIX, .sun_path = PATH } };
	uint8_t ours[VDE_CONTROL_MAX], theirs[VDE_CONTROL_MAX];
	size_t len;

	(void)state;
	strcpy(request.description, "plug");
	len = vde_control_build(&request, ours);
	assert_int_equal(len, write_v3(theirs, 0xfeedface, 3, 1 | 300 << 8, PATH, "plug"));
	assert_memory_equal(ours, theirs, len);
	memset(request.description, 'd', sizeof(request.description)); /* not terminated */
	assert_int_equal(vde_control_build(&request, ours), 122 + 127);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_3),
		cmocka_unit_test(version_1),
		cmocka_unit_test(refusals),
		cmocka_unit_test(bad_addresses),
		cmocka_unit_test(every_length),
		cmocka_unit_test(descriptions),
		cmocka_unit_test(building),
	};

	return RUN_TESTS(tests);
}
