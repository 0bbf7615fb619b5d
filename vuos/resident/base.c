/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vuos/resident/base.h"

void *memcpy(void *to, const void *from, size_t len)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(len) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t len)
{
	uint8_t *last = (uint8_t *)to + len - 1;
	const uint8_t *from_last = (const uint8_t *)from + len - 1;

	if ((uintptr_t)to - (uintptr_t)from >= len)
		return memcpy(to, from, len);
	__asm__ volatile("std; rep movsb; cld" : "+D"(last), "+S"(from_last), "+c"(len) : : "memory");
	return to;
}

void *memset(void *to, int byte, size_t len)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(len) : "a"(byte) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < len; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

size_t text_len(const char *text)
{
	size_t len = 0;

	while (text[len])
		len++;
	return len;
}

bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool text_begins(const char *text, const char *begin)
{
	while (*begin && *text == *begin) {
		text++;
		begin++;
	}
	return *begin == '\0';
}

char *text_put(char *to, const char *text)
{
	size_t len = text_len(text);

	memcpy(to, text, len + 1);
	return to + len;
}

char *text_put_number(char *to, uint64_t number, unsigned base)
{
	char digits[65];
	unsigned n = sizeof(digits);

	digits[--n] = '\0';
	do {
		digits[--n] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	return text_put(to, digits + n);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

uint64_t text_take_number(const char **at, unsigned base)
{
	uint64_t number = 0;

	for (; digit_of(**at) < (int)base; (*at)++)
		number = number * base + (unsigned)digit_of(**at);
	return number;
}

const char *text_base_name(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

_Noreturn void give_up(int status)
{
	for (;;)
		(void)NATIVE(__NR_exit_group, status);
}
