/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MAC addresses as they are made up: prefixes, the two bits with a meaning, EUI-64. */
#pragma once

#include "base/util.h"

#define MAC_SIZE   6
#define OUI_SIZE   3
#define EUI64_SIZE 8
#define EUI64_TEXT_SIZE (3 * EUI64_SIZE)

enum mac_bit {
	MAC_BIT_KEEP, /* as the prefix has it */
	MAC_BIT_CLEAR,
	MAC_BIT_SET,
};

struct mac_wish {
	bool has_oui;
	uint8_t oui[OUI_SIZE];
	enum mac_bit local; /* without a prefix, MAC_BIT_KEEP means set */
	enum mac_bit group; /* without a prefix, MAC_BIT_KEEP means clear */
};

/* Turns six random bytes into an address as wished. */
void mac_build(const struct mac_wish *wish, const uint8_t random[MAC_SIZE], uint8_t ret[MAC_SIZE]);

/* The modified EUI-64 of an address (RFC 4291, appendix A). */
void mac_to_eui64(const uint8_t mac[MAC_SIZE], uint8_t ret[EUI64_SIZE]);

/* Three bytes of hexadecimal, together or separated by `:`, `-` or `.`. 0 or -EINVAL. */
int oui_parse(const char *text, uint8_t ret[OUI_SIZE]);

/* COUNT bytes (8 at most), separated by colons. */
void mac_format(const uint8_t *bytes, size_t count, bool uppercase, char text[EUI64_TEXT_SIZE]);
