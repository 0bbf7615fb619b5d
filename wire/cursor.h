/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bounded cursor: the only way a peer's bytes are parsed. Each call takes bytes off the front
 * or fails; after one failure all later calls fail too (`ok` is false and `left` is 0), so a run
 * of calls needs one check at its end. Numbers come back in host byte order.
 */
#pragma once

#include <endian.h>

#include "base/util.h"

struct cursor {
	const uint8_t *at; /* borrowed */
	size_t left;       /* bytes */
	bool ok;
};

static inline struct cursor cursor_of(const void *data, size_t len)
{
	return (struct cursor){ .at = data, .left = len, .ok = true };
}

/* The next LEN bytes, or NULL when there are fewer. */
static inline const void *cursor_take(struct cursor *c, size_t len)
{
	const void *at = c->at;

	if (!c->ok || len > c->left) {
		c->ok = false;
		c->left = 0;
		return NULL;
	}
	c->at += len;
	c->left -= len;
	return at;
}

/* A typed header (a packed struct) off the front, or NULL. */
#define CURSOR_TAKE(c, type) ((const type *)cursor_take((c), sizeof(type)))

/* Cuts off the next LEN bytes as a cursor of their own: an error inside cannot leave it. */
static inline struct cursor cursor_cut(struct cursor *c, size_t len)
{
	const void *at = cursor_take(c, len);

	return (struct cursor){ .at = at, .left = at ? len : 0, .ok = at != NULL };
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *at = cursor_take(c, 1);

	return at ? *at : 0;
}

static inline uint16_t cursor_be16(struct cursor *c)
{
	uint16_t value = 0;
	const void *at = cursor_take(c, sizeof(value));

	if (at)
		memcpy(&value, at, sizeof(value));
	return be16toh(value);
}

static inline uint32_t cursor_be32(struct cursor *c)
{
	uint32_t value = 0;
	const void *at = cursor_take(c, sizeof(value));

	if (at)
		memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static inline uint32_t cursor_host32(struct cursor *c)
{
	uint32_t value = 0;
	const void *at = cursor_take(c, sizeof(value));

	if (at)
		memcpy(&value, at, sizeof(value));
	return value;
}

/* Copies LEN bytes to TO, which is left alone when there are fewer. */
static inline bool cursor_copy(struct cursor *c, void *to, size_t len)
{
	const void *at = cursor_take(c, len);

	if (at)
		memcpy(to, at, len);
	return at != NULL;
}
