/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small things that every directory uses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* Marks a symbol as part of a library's interface; everything else is hidden. */
#define PUBLIC __attribute__((visibility("default")))

#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

/* Tells the processor that this is a loop that waits for another one. */
static inline void cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static inline bool str_equal(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static inline bool str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Copies at most size-1 bytes and always terminates; returns 0, or -ENAMETOOLONG when cut. */
int str_copy(char *to, size_t size, const char *from);

/* Edit distance (Levenshtein) between two short words; used to suggest the nearest name. */
unsigned str_distance(const char *a, const char *b);
