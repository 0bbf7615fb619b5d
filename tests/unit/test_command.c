/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_switch.h"

#include "vde/switch/command.h"
#include "vde/switch/vlan.h"

static const char *answer(struct vde_switch *sw, const char *line)
{
	static struct strbuf out;

	strbuf_clear(&out);
	(void)console_run_line(sw, NULL, line, &out);
	return strbuf_text(&out);
}

static void start(struct vde_switch *sw)
{
	memset(sw, 0, sizeof(*sw));
	fake_switch_init(sw);
	/* Commands may look at the consoles; there are none. */
	sw->settings.no_stdin = true;
	assert_int_equal(console_new(sw, NULL), 0);
}

static void results(void **state)
{
	static struct vde_switch sw;
	static const struct {
		const char *line, *answer;
	} cases[] = {
		{ "", "" },
		{ "  ", "" },
		{ "# comment", "" },
		{ "nonsense", "1038 Function not implemented\n" },
		{ "port", "1038 Function not implemented\n" },
		{ "port/create 5", "1000 Success\n" },
		{ "port/create 5", "1017 File exists\n" },
		{ "port/create 32", "1000 Success\n" },
		{ "port/create 33", "1022 Invalid argument\n" },
		{ "port/create -1", "1022 Invalid argument\n" },
		{ "port/create 6 x", "1022 Invalid argument\n" },
		{ "port/create", "1022 Invalid argument\n" },
		{ "port/create 99999999999999999999", "1022 Invalid argument\n" },
		{ "port/remove 5", "1000 Success\n" },
		{ "port/remove 5", "1006 No such device or address\n" },
		{ "port/setnumports 31", "1098 Address already in use\n" },
		{ "port/setnumports 100", "1000 Success\n" },
		{ "port/create 100", "1000 Success\n" },
		{ "port/setnumports 0", "1022 Invalid argument\n" },
		{ "port/setvlan 100 7", "1006 No such device or address\n" },
		{ "vlan/create 4094", "1000 Success\n" },
		{ "vlan/create 4095", "1022 Invalid argument\n" },
		{ "vlan/create 0", "1022 Invalid argument\n" },
		{ "vlan/remove 0", "1022 Invalid argument\n" },
		{ "port/setvlan 0x64 4094", "1000 Success\n" },
		{ "port/setvlan 100 4095", "1000 Success\n" },
		{ "vlan/addport 4094 100", "1000 Success\n" },
		{ "vlan/addport 4094 101", "1022 Invalid argument\n" },
		{ "vlan/addport 4094 99", "1006 No such device or address\n" },
		{ "vlan/delport 0 32", "1098 Address already in use\n" },
		{ "vlan/remove 4094", "1000 Success\n" },
		{ "vlan/remove 4094", "1006 No such device or address\n" },
		{ "hash/find 02:00:00:00:00:01", "0000 DATA END WITH '.'\n.\n1019 No such device\n" },
		{ "hash/find 02:00", "0000 DATA END WITH '.'\n.\n1022 Invalid argument\n" },
		{ "hash/find 02:00:00:00:00:01 5000",
		  "0000 DATA END WITH '.'\n.\n1022 Invalid argument\n" },
		{ "hash/setsize 0", "1022 Invalid argument\n" },
		{ "hash/setsize 100", "1000 Success\n" },
		{ "hash/setexpire -1", "1022 Invalid argument\n" },
		{ "port/epclose 100 1", "1006 No such device or address\n" },
		{ "port/setuser 100 NONE", "1000 Success\n" },
		{ "port/setuser 100 no such", "1022 Invalid argument\n" },
		{ "port/allocatable 100 2", "1022 Invalid argument\n" },
		{ "load /nonexistent", "1002 No such file or directory\n" },
		{ "load /dev/zero", "1022 Invalid argument\n" },
		{ "load /", "1021 Is a directory\n" },
		{ "debug/add port", "1095 Operation not supported\n" },
		{ "logout", "9999 END OF SESSION" },
		{ "json port/create 5", "1095 Operation not supported\n" },
		{ "json vlan/print 9", "1006 No such device or address\n" },
	};

	(void)state;
	start(&sw);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = answer(&sw, cases[i].line);

		if (strcmp(got, cases[i].answer) != 0)
			fail_msg("'%s' gave '%s'", cases[i].line, got);
	}
	switch_done(&sw);
}

static void listings(void **state)
{
	static struct vde_switch sw;
	struct fake fake;

	(void)state;
	start(&sw);
	fake_attach(&sw, 3, &fake);
	assert_string_equal(answer(&sw, "port/print"),
		"0000 DATA END WITH '.'\n"
		"Port 0003 untagged_vlan=0000 ACTIVE - Unnamed Allocatable\n"
		" Current User: root Access Control: (User: NONE - Group: NONE)\n"
		" IN:  pkts          0          bytes                    0\n"
		" OUT: pkts          0          bytes                    0\n"
		"  -- endpoint ID 0000 module fake        : no endpoint description\n"
		".\n1000 Success\n");
	assert_string_equal(answer(&sw, "vlan/printX"), "0000 DATA END WITH '.'\n.\n1022 Invalid argument\n");
	assert_string_equal(answer(&sw, "vlan/print"),
		"0000 DATA END WITH '.'\nVLAN 0000\n"
		" -- Port 0003 tagged=0 active=1 status=Forwarding\n.\n1000 Success\n");
	assert_string_equal(answer(&sw, "json vlan/print"),
		"0000 DATA END WITH '.'\n[{\"vlan\":0,\"ports\":[{\"port\":3,\"tagged\":false,"
		"\"active\":true,\"status\":\"Forwarding\"}]}]\n.\n1000 Success\n");
	switch_done(&sw);
}

static void files_of_commands(void **state)
{
	static struct vde_switch sw;
	char dir[64], path[128], expected[1024];
	struct strbuf out = { 0 };

	(void)state;
	start(&sw);
	(void)snprintf(path, sizeof(path), "%s/rc", test_directory(dir));
	test_write_file(path, "# ports\nport/create 7\n\n  \nbad\nport/create 8");
	assert_int_equal(console_run_file(&sw, NULL, path, &out), 0);
	(void)snprintf(expected, sizeof(expected),
		       "vde[%s]: # ports\n"
		       "vde[%s]: port/create 7\n1000 Success\n"
		       "vde[%s]: bad\n1038 Function not implemented\n"
		       "vde[%s]: port/create 8\n1000 Success\n", path, path, path, path);
	assert_string_equal(strbuf_text(&out), expected);
	assert_non_null(port_find(&sw, 8));
	/* A file that loads itself ends. */
	(void)snprintf(expected, sizeof(expected), "load %s\n", path);
	test_write_file(path, expected);
	strbuf_clear(&out);
	assert_int_equal(console_run_file(&sw, NULL, path, &out), 0);
	assert_non_null(strstr(strbuf_text(&out), "1040 Too many levels of symbolic links"));
	assert_int_equal(sw.load_depth, 0);
	strbuf_done(&out);
	(void)unlink(path);
	(void)rmdir(dir);
	switch_done(&sw);
}

static void numbers(void **state)
{
	long long values[3];
	const char *rest;

	(void)state;
	assert_int_equal(command_numbers(" 0x10 010  7 ", 3, values, NULL), 0);
	assert_int_equal(values[0], 16);
	assert_int_equal(values[1], 8);
	assert_int_equal(values[2], 7);
	assert_int_equal(command_numbers("1 2 x", 3, values, NULL), -EINVAL);
	assert_int_equal(command_numbers("1 2 3 4", 3, values, NULL), -EINVAL);
	assert_int_equal(command_numbers("1 2", 3, values, NULL), -EINVAL);
	assert_int_equal(command_numbers("1x 2", 2, values, NULL), -EINVAL);
	assert_int_equal(command_numbers("5 name here", 1, values, &rest), 0);
	assert_string_equal(rest, "name here");
	assert_int_equal(command_number("08", 0, 10, values), 0);
	assert_int_equal(values[0], 8);
	assert_int_equal(command_number("0x8", 0, 10, values), -EINVAL);
	assert_int_equal(command_optional_number("", 10, values), 0);
	assert_int_equal(values[0], -1);
}

/* Every row can be found by its path: no earlier path is a prefix of a later command. */
static void paths_do_not_hide(void **state)
{
	(void)state;
	for (size_t t = 0; command_tables[t]; t++)
		for (size_t i = 0; i < command_tables[t]->count; i++)
			for (size_t k = 0; k < i; k++) {
				const struct command *row = &command_tables[t]->rows[k];

				if (!(row->flags & COMMAND_MENU))
					assert_false(str_starts(command_tables[t]->rows[i].path,
								row->path));
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results), cmocka_unit_test(listings),
		cmocka_unit_test(files_of_commands), cmocka_unit_test(numbers),
		cmocka_unit_test(paths_do_not_hide),
	};

	return RUN_TESTS(tests);
}
