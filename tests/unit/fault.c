/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The linker's --wrap=NAME sends calls of NAME to __wrap_NAME, and __real_NAME is the original. */
#include "fault.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

static int left = -1;

void fault_after(int count)
{
	left = count;
}

static bool fault_now(void)
{
	if (left == 0) {
		errno = ENOMEM;
		return true;
	}
	if (left > 0)
		left--;
	return false;
}

void *__wrap_malloc(size_t size)
{
	return fault_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fault_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return fault_now() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
	return fault_now() ? NULL : __real_strdup(text);
}
