/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fixed pool: COUNT items of one size, reserved at once and touched only when used, so that a
 * fast path allocates nothing. When it is empty pool_get() gives NULL: the caller drops and counts.
 */
#pragma once

#include "util.h"

struct pool {
	char *memory; /* owned mapping */
	size_t item_size;
	size_t count;
	size_t fresh; /* items from here on were never handed out */
	size_t used;  /* items handed out now */
	void *free_list;
};

/* ITEM_SIZE bytes are rounded up to 64. -EINVAL, -ENOMEM. */
int pool_init(struct pool *p, size_t item_size, size_t count);
void pool_done(struct pool *p);

/* An uninitialised item, or NULL when all are in use. */
void *pool_get(struct pool *p);
void pool_put(struct pool *p, void *item);

/* Gives the pages of a pool that is wholly unused back to the kernel; else does nothing. */
void pool_trim(struct pool *p);
