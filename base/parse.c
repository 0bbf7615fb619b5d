/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"

static int parse_in_base(const char *text, int base, long long min, long long max, long long *ret)
{
	char *end;
	long long value;

	if (!isdigit((unsigned char)text[0]) && text[0] != '-' && text[0] != '+')
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, base);
	if (end == text || *end)
		return -EINVAL;
	if (errno == ERANGE || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_int(const char *text, long long min, long long max, long long *ret)
{
	return parse_in_base(text, 0, min, max, ret);
}

int parse_decimal(const char *text, long long min, long long max, long long *ret)
{
	return parse_in_base(text, 10, min, max, ret);
}

int parse_mode(const char *text, mode_t *ret)
{
	long long value;
	int r = parse_in_base(text, 8, 0, 07777, &value);

	if (r == 0)
		*ret = (mode_t)value;
	return r;
}

int parse_mac(const char *text, uint8_t ret[6])
{
	uint8_t mac[6];

	for (int i = 0; i < 6; i++) {
		char *end;
		unsigned long byte;

		if (!isxdigit((unsigned char)text[0]))
			return -EINVAL;
		byte = strtoul(text, &end, 16);
		if (end - text > 2)
			return -EINVAL;
		if (i < 5 ? !strchr(":-.", *end) || !*end : *end != '\0')
			return -EINVAL;
		mac[i] = (uint8_t)byte;
		text = end + 1;
	}
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

const char *format_mac(const uint8_t mac[6], char text[MAC_TEXT_SIZE])
{
	(void)snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		       mac[3], mac[4], mac[5]);
	return text;
}

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
