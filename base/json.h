/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON output (RFC 8259) into a strbuf: commas, quoting and nesting are kept by the writer, so
 * that a listing is written as it is walked. Keys are given inside objects and NULL elsewhere.
 * Bytes that are not UTF-8 are written as U+FFFD.
 */
#pragma once

#include "strbuf.h"

#define JSON_MAX_DEPTH 16

struct json {
	struct strbuf *out; /* borrowed */
	unsigned depth;
	bool filled[JSON_MAX_DEPTH]; /* whether the container at this depth has a member */
	char closer[JSON_MAX_DEPTH];
};

void json_init(struct json *j, struct strbuf *out);

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
/* Ends the innermost open object or array. */
void json_end(struct json *j);

void json_string(struct json *j, const char *key, const char *value); /* NULL gives null */
void json_format(struct json *j, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);
void json_int(struct json *j, const char *key, int64_t value);
void json_uint(struct json *j, const char *key, uint64_t value);
void json_double(struct json *j, const char *key, double value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
