/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
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
