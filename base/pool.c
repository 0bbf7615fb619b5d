/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#define POOL_ALIGN 64

int pool_init(struct pool *p, size_t item_size, size_t count)
{
	size_t size = (item_size + POOL_ALIGN - 1) & ~(size_t)(POOL_ALIGN - 1), total;
	void *memory;

	if (item_size == 0 || count == 0 || __builtin_mul_overflow(size, count, &total))
		return -EINVAL;
	memory = mmap(NULL, total, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*p = (struct pool){ .memory = memory, .item_size = size, .count = count };
	return 0;
}

void pool_done(struct pool *p)
{
	if (p->memory)
		(void)munmap(p->memory, p->item_size * p->count);
	*p = (struct pool){ 0 };
}

void *pool_get(struct pool *p)
{
	void *item = p->free_list;

	if (item)
		p->free_list = *(void **)item;
	else if (p->fresh < p->count)
		item = p->memory + p->item_size * p->fresh++;
	else
		return NULL;
	p->used++;
	return item;
}

void pool_put(struct pool *p, void *item)
{
	assert(p->used > 0);
	*(void **)item = p->free_list;
	p->free_list = item;
	p->used--;
}

void pool_trim(struct pool *p)
{
	if (p->used || !p->fresh)
		return;
	(void)madvise(p->memory, p->item_size * p->fresh, MADV_DONTNEED);
	p->free_list = NULL;
	p->fresh = 0;
}
