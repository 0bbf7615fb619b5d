/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mac_address.h"

#include <ctype.h>
#include <errno.h>

#define GROUP_BIT 0x01
#define LOCAL_BIT 0x02

static void bit_apply(uint8_t *byte, uint8_t bit, enum mac_bit wish)
{
	if (wish == MAC_BIT_SET)
		*byte |= bit;
	else if (wish == MAC_BIT_CLEAR)
		*byte &= (uint8_t)~bit;
}

void mac_build(const struct mac_wish *wish, const uint8_t random[MAC_SIZE], uint8_t ret[MAC_SIZE])
{
	enum mac_bit local = wish->local, group = wish->group;

	memcpy(ret, random, MAC_SIZE);
	if (wish->has_oui)
		memcpy(ret, wish->oui, OUI_SIZE);
	else if (local == MAC_BIT_KEEP)
		local = MAC_BIT_SET;
	if (!wish->has_oui && group == MAC_BIT_KEEP)
		group = MAC_BIT_CLEAR;
	bit_apply(&ret[0], LOCAL_BIT, local);
	bit_apply(&ret[0], GROUP_BIT, group);
}

void mac_to_eui64(const uint8_t mac[MAC_SIZE], uint8_t ret[EUI64_SIZE])
{
	memcpy(ret, mac, OUI_SIZE);
	ret[0] ^= LOCAL_BIT;
	ret[3] = 0xff;
	ret[4] = 0xfe;
	memcpy(ret + 5, mac + OUI_SIZE, MAC_SIZE - OUI_SIZE);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int oui_parse(const char *text, uint8_t ret[OUI_SIZE])
{
	uint8_t bytes[OUI_SIZE];

	for (size_t i = 0; i < OUI_SIZE; i++) {
		int high, low;

		if (i > 0 && *text && strchr(":-.", *text))
			text++;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text)
		return -EINVAL;
	memcpy(ret, bytes, sizeof(bytes));
	return 0;
}

void mac_format(const uint8_t *bytes, size_t count, bool uppercase, char text[EUI64_TEXT_SIZE])
{
	const char *digits = uppercase ? "0123456789ABCDEF" : "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 0x0f];
		*text++ = i + 1 < count ? ':' : '\0';
	}
}
