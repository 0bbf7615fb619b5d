/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a text is one JSON value (RFC 8259), for tests of what writes it. */
#pragma once

#include <stdbool.h>
#include <string.h>

static inline const char *json_check_value(const char *at);

static inline const char *json_check_string(const char *at)
{
	if (*at++ != '"')
		return NULL;
	for (; *at != '"'; at++) {
		if ((unsigned char)*at < 0x20)
			return NULL;
		if (*at != '\\')
			continue;
		at++;
		if (*at == 'u' && strspn(at + 1, "0123456789abcdefABCDEF") < 4)
			return NULL;
		if (!*at || !strchr("\"\\/bfnrtu", *at))
			return NULL;
	}
	return at + 1;
}

/* Members or elements up to the closing bracket, with commas between them. */
static inline const char *json_check_list(const char *at, char end, bool members)
{
	if (*at == end)
		return at + 1;
	for (;; at++) {
		if (members) {
			at = json_check_string(at);
			if (!at || *at++ != ':')
				return NULL;
		}
		at = json_check_value(at);
		if (!at || *at == end)
			return at ? at + 1 : NULL;
		if (*at != ',')
			return NULL;
	}
}

static inline const char *json_check_number(const char *at)
{
	size_t digits;

	at += *at == '-';
	digits = strspn(at, "0123456789");
	return digits && !(digits > 1 && *at == '0') ? at + digits : NULL;
}

/* What follows the value at AT, NULL if there is none. */
static inline const char *json_check_value(const char *at)
{
	if (*at == '{' || *at == '[')
		return json_check_list(at + 1, *at == '{' ? '}' : ']', *at == '{');
	if (*at == '"')
		return json_check_string(at);
	if (strncmp(at, "null", 4) == 0 || strncmp(at, "true", 4) == 0)
		return at + 4;
	return json_check_number(at);
}

static inline bool json_check(const char *text)
{
	const char *end = json_check_value(text);

	return end && !*end;
}
