/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ground floor of the resident, which has no C library: types, native system calls, memory, text.
 * General registers only: the program's vector registers are live while we run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/unistd.h>
#include <linux/errno.h>

#include "vuos/resident/arch/x86_64/layout.h"

/* Everything is in one file of fixed addresses: nothing goes through a table of addresses. */
#pragma GCC visibility push(hidden)

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE 4096ull
#define PAGE_DOWN(address) ((uint64_t)(address) & ~(PAGE - 1))
#define PAGE_UP(address)   PAGE_DOWN((uint64_t)(address) + PAGE - 1)
#define PATH_MAX 4096

/* For small variables without a value that every process writes to at its start. */
#define HOT __attribute__((section(".bss.hot")))
/* For large ones of which it is the beginning. */
#define HOT_HEAD __attribute__((section(".bss.hot_head")))

/* A call that the resident makes for itself. It must not block for long: no signal gets between. */
static inline long syscall6(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
			    uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define SYSCALL_PICK(_1, _2, _3, _4, _5, _6, _7, name, ...) name
#define SYSCALL_ARG(x) ((uint64_t)(x))
#define SYSCALL0(n)                   syscall6((n), 0, 0, 0, 0, 0, 0)
#define SYSCALL1(n, a)                syscall6((n), SYSCALL_ARG(a), 0, 0, 0, 0, 0)
#define SYSCALL2(n, a, b)             syscall6((n), SYSCALL_ARG(a), SYSCALL_ARG(b), 0, 0, 0, 0)
#define SYSCALL3(n, a, b, c)          syscall6((n), SYSCALL_ARG(a), SYSCALL_ARG(b), SYSCALL_ARG(c), 0, 0, 0)
#define SYSCALL4(n, a, b, c, d) \
	syscall6((n), SYSCALL_ARG(a), SYSCALL_ARG(b), SYSCALL_ARG(c), SYSCALL_ARG(d), 0, 0)
#define SYSCALL5(n, a, b, c, d, e) \
	syscall6((n), SYSCALL_ARG(a), SYSCALL_ARG(b), SYSCALL_ARG(c), SYSCALL_ARG(d), SYSCALL_ARG(e), 0)
#define SYSCALL6(n, a, b, c, d, e, f)                                                          \
	syscall6((n), SYSCALL_ARG(a), SYSCALL_ARG(b), SYSCALL_ARG(c), SYSCALL_ARG(d), SYSCALL_ARG(e), \
		 SYSCALL_ARG(f))
/* NATIVE(number, arguments...) */
#define NATIVE(...) \
	SYSCALL_PICK(__VA_ARGS__, SYSCALL6, SYSCALL5, SYSCALL4, SYSCALL3, SYSCALL2, SYSCALL1, SYSCALL0) \
	(__VA_ARGS__)

static inline bool is_error(long result)
{
	return (unsigned long)result >= -PAGE; /* CALL_RESTART is one, too */
}

/* The compiler calls these by itself. */
void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);

size_t text_len(const char *text);
bool text_equal(const char *a, const char *b);
bool text_begins(const char *text, const char *begin);
/* Copies with its end; returns the place of that, for what follows. The caller has seen to the room. */
char *text_put(char *to, const char *text);
char *text_put_number(char *to, uint64_t number, unsigned base);
/* A number that stands at *AT, which moves behind it. */
uint64_t text_take_number(const char **at, unsigned base);
/* Behind the last slash. */
const char *text_base_name(const char *path);

/*
 * Writes "umvu: ", the parts up to NULL, and a newline to umvu's log (report.c): what was its stderr when it
 * started. A program that has put something else in its place sees nothing of it.
 */
void complain(const char *part, ...) __attribute__((sentinel));
_Noreturn void give_up(int status);

/* Copies of program memory (entry.S): 0 or a length, or -EFAULT; -ENAMETOOLONG. */
long copy_bytes(void *to, const void *from, size_t len);
long copy_string(char *to, const char *from, size_t room);

static inline long copy_in(void *to, uint64_t from, size_t len)
{
	return copy_bytes(to, (const void *)from, len);
}

static inline long copy_out(uint64_t to, const void *from, size_t len)
{
	return copy_bytes((void *)to, from, len);
}
