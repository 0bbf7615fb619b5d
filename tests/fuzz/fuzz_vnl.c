/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A locator: split into scheme and arguments, then taken apart by the parsers that plug-ins use, level
 * by level. Everything they give stays inside the string they were given. (Paths are left out: what
 * they lead to would depend on the machine.)
 */
#include "fuzz.h"

#include <stdio.h>

#include <libvdeplug_mod.h>

#include "vde/plug/locator.h"

#define VALUES 5

typedef int parser(char *str, struct vdeparms *parms);

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	stderr = fopen("/dev/null", "w"); /* the parsers report unknown tags there */
	return 0;
}

static void check_parser(parser *parse, const char *text)
{
	static char empty[] = "", tags[VALUES - 1][10] = { "port", "portgroup", "group", "mode" };
	size_t len = strlen(text);
	char *copy = strdup(text), *value[VALUES] = { NULL };
	struct vdeparms parms[VALUES + 1] = { { empty, &value[VALUES - 1] } };

	FUZZ_CHECK(copy != NULL);
	for (size_t i = 0; i < VALUES - 1; i++)
		parms[i + 1] = (struct vdeparms){ tags[i], &value[i] };
	errno = 0;
	if (parse(copy, parms) < 0)
		FUZZ_CHECK(errno == EINVAL && *vde_strerror());
	FUZZ_CHECK(strlen(copy) <= len);
	for (size_t i = 0; i < VALUES; i++)
		FUZZ_CHECK(!value[i] || (value[i] >= copy && value[i] + strlen(value[i]) <= copy + len));
	free(copy);
}

static void check_arguments(const char *text)
{
	char *copy = strdup(text), *nested, *level = copy;

	FUZZ_CHECK(copy != NULL);
	while ((nested = vde_parsenestparms(level)) != NULL) {
		FUZZ_CHECK(nested == level + strlen(level) + 1);
		check_parser(vde_parseparms, level);
		level = nested;
	}
	check_parser(vde_parsepathparms, level);
	(void)strtoullm(level);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = { 0 };
	struct locator l;
	char *text = malloc(size + sizeof("x://"));

	FUZZ_CHECK(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (!strstr(text, "://")) {
		memmove(text + 4, text, strlen(text) + 1);
		memcpy(text, "x://", 4);
	}
	if (locator_resolve(text, &l, &error) == 0) {
		FUZZ_CHECK(strlen(l.scheme) + 3 + strlen(l.args) == strlen(text));
		FUZZ_CHECK(!strchr(l.scheme, '/'));
		check_arguments(l.args);
		locator_done(&l);
	} else {
		FUZZ_CHECK(error.code > 0 && error.text[0]);
	}
	free(text);
	return 0;
}
