/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Words that people type, turned into values. Each returns 0 or a negative errno (-EINVAL for a
 * wrong form, -ERANGE outside the limits, -ENOENT for an unknown name) and leaves *ret alone on
 * failure. The whole word must match: no trailing characters.
 */
#pragma once

#include <sys/types.h>

#include "util.h"

/* Decimal, 0x hexadecimal or 0 octal, from MIN to MAX. */
int parse_int(const char *text, long long min, long long max, long long *ret);

/* As parse_int(), decimal only: a leading zero means nothing. */
int parse_decimal(const char *text, long long min, long long max, long long *ret);

/* Octal permission bits, 0 to 07777. */
int parse_mode(const char *text, mode_t *ret);

/* Six hexadecimal numbers of one or two digits, separated by `:`, `-` or `.`. */
int parse_mac(const char *text, uint8_t ret[6]);

/* A user or group: a name of the database, or a decimal number. May block on name services. */
int parse_user(const char *text, uid_t *ret);
int parse_group(const char *text, gid_t *ret);

/* Length of "aa:bb:cc:dd:ee:ff" with its NUL. */
#define MAC_TEXT_SIZE 18
const char *format_mac(const uint8_t mac[6], char text[MAC_TEXT_SIZE]);
