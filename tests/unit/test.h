/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every unit test includes first: cmocka with what it needs, and a few helpers. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, NULL)

/* A pseudo-random sequence that is the same in every run (xorshift64*). */
static inline uint64_t test_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A fresh directory that the test removes when it is empty again. */
static inline char *test_directory(char path[64])
{
	strcpy(path, "/tmp/vsunitXXXXXX");
	assert_non_null(mkdtemp(path));
	return path;
}

/* Fills a file with TEXT. */
static inline void test_write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The content of a small file, NUL-terminated. */
static inline const char *test_read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, size - 1, file);
	text[len] = '\0';
	assert_int_equal(fclose(file), 0);
	return text;
}
