/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters in the language of pcap-filter(7). */
#pragma once

#include "base/error.h"

struct capture_filter;

/*
 * Compiles TEXT for Ethernet frames; "" gives NULL, which matches all. Never looks up names of hosts
 * or networks, which could take seconds: -EINVAL asks for the address.
 */
int capture_filter_new(const char *text, struct capture_filter **ret, struct error *error);
void capture_filter_free(struct capture_filter *filter);

bool capture_filter_match(const struct capture_filter *filter, const uint8_t *frame, size_t len);
