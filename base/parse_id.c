/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Users and groups by name. Apart from the rest: what asks the name service has to have shared libraries,
 * which a program that starts often (umvu) does without.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "cleanup.h"
#include "parse.h"

/* Numbers first, as chown(1) with a leading `+` would: a purely numeric name is a number. */
static bool is_number(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int parse_id(const char *text, uint32_t *ret)
{
	long long number;
	int r = parse_decimal(text, 0, UINT32_MAX - 1, &number);

	if (r == 0)
		*ret = (uint32_t)number;
	return r;
}

/* An entry with many members needs a large buffer: it is doubled up to the maximum. */
#define ID_BUFFER_SIZE 16384
#define ID_BUFFER_MAX  (16 << 20)

/* What getpwnam_r() and getgrnam_r() may give for a name that is not there (their manual page). */
static int id_error(int code)
{
	static const int absent[] = { 0, ENOENT, ESRCH, EBADF, EPERM };

	for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
		if (code == absent[i])
			return -ENOENT;
	return -code;
}

int parse_user(const char *text, uid_t *ret)
{
	struct passwd entry, *found = NULL;
	int r = ERANGE;

	if (is_number(text))
		return parse_id(text, ret);
	for (size_t size = ID_BUFFER_SIZE; r == ERANGE && size <= ID_BUFFER_MAX; size *= 2) {
		auto_free char *buffer = malloc(size);

		if (!buffer)
			return -ENOMEM;
		r = getpwnam_r(text, &entry, buffer, size, &found);
	}
	if (!found)
		return id_error(r);
	*ret = entry.pw_uid;
	return 0;
}

int parse_group(const char *text, gid_t *ret)
{
	struct group entry, *found = NULL;
	int r = ERANGE;

	if (is_number(text))
		return parse_id(text, ret);
	for (size_t size = ID_BUFFER_SIZE; r == ERANGE && size <= ID_BUFFER_MAX; size *= 2) {
		auto_free char *buffer = malloc(size);

		if (!buffer)
			return -ENOMEM;
		r = getgrnam_r(text, &entry, buffer, size, &found);
	}
	if (!found)
		return id_error(r);
	*ret = entry.gr_gid;
	return 0;
}
