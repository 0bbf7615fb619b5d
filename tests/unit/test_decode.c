/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <string.h>

#include "vuos/resident/arch/x86_64/decode.h"

#define AT 0x1004 /* a call that a padded `ret` follows has eight bytes up to the next function */

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

/* A window with BEFORE, a call and BEHIND; where they give nothing, zeros. */
static enum decode_kind decode(const uint8_t *before, size_t before_len, const uint8_t *behind,
			       size_t behind_len, uint32_t number, unsigned *moved)
{
	uint8_t window[DECODE_WINDOW] = { 0 };

	memcpy(window + DECODE_BEFORE - before_len, before, before_len);
	memcpy(window + DECODE_BEFORE, BYTES(0x0f, 0x05));
	memcpy(window + DECODE_BEFORE + SYSCALL_LEN, behind, behind_len);
	return decode_site(window, AT, number, moved);
}

static unsigned moved_len(const uint8_t *behind, size_t len)
{
	unsigned moved;

	return decode(BYTES(0x90), behind, len, 1, &moved) == DECODE_B ? moved : 0;
}

/* With only zeros behind it, so that it is either A or nothing. */
static bool is_number(const uint8_t *before, size_t len, uint32_t number)
{
	unsigned moved;

	return decode(before, len, BYTES(0), number, &moved) == DECODE_A;
}

static void test_number_before(void **state)
{
	(void)state;
	assert_true(is_number(BYTES(0x90, 0xb8, 0x27, 0, 0, 0), 39));
	assert_true(is_number(BYTES(0x48, 0x89, 0xc7, 0xb8, 0x27, 0, 0, 0), 39));
	assert_false(is_number(BYTES(0x90, 0xb8, 0x27, 0, 0, 0), 40));
	assert_false(is_number(BYTES(0x90, 0xb9, 0x27, 0, 0, 0), 39));
}

/* Other instructions that end in the same bytes. */
static void test_no_number_before(void **state)
{
	(void)state;
	assert_false(is_number(BYTES(0x41, 0xb8, 0, 0, 0, 0), 0));             /* mov $0, %r8d */
	assert_false(is_number(BYTES(0x48, 0xb8, 0, 0, 0, 0), 0));             /* the begin of a longer one */
	assert_false(is_number(BYTES(0x66, 0xb8, 0, 0, 0, 0), 0));             /* mov $0, %ax */
	assert_false(is_number(BYTES(0xc7, 0x44, 0x24, 0xb8, 0, 0, 0, 0), 0)); /* movl $0, -0x48(%rsp) */
	assert_false(is_number(BYTES(0xc7, 0x45, 0xb8, 0, 0, 0, 0), 0));       /* movl $0, -0x48(%rbp) */
	assert_false(is_number(BYTES(0x81, 0x7d, 0xb8, 0xe7, 0, 0, 0), 231));  /* cmpl $231, -0x48(%rbp) */
	assert_false(is_number(BYTES(0x41, 0xc7, 0x04, 0xb8, 0, 0, 0, 0), 0)); /* movl $0, (%r8,%rdi,4) */
	assert_false(is_number(BYTES(0x49, 0x8b, 0xb8, 0xe8, 0, 0, 0), 232));  /* mov 232(%r8), %rdi */
	/* mov 232(%r8,%rdi,4), %rdi */
	assert_false(is_number(BYTES(0x49, 0x8b, 0xbc, 0xb8, 0xe8, 0, 0, 0), 232));
	assert_false(is_number(BYTES(0x41, 0x0f, 0xb6, 0xb8, 0xe8, 0, 0, 0), 232)); /* movzbl 232(%r8), %edi */
}

static void test_moved(void **state)
{
	(void)state;
	assert_int_equal(moved_len(BYTES(0x48, 0x3d, 0, 0xf0, 0xff, 0xff)), 6);  /* cmp $-4096, %rax */
	assert_int_equal(moved_len(BYTES(0x48, 0x83, 0xf8, 0xfc)), 4);           /* cmp $-4, %rax */
	assert_int_equal(moved_len(BYTES(0x48, 0x89, 0xc7)), 3);                 /* mov %rax, %rdi */
	assert_int_equal(moved_len(BYTES(0x89, 0x44, 0x24, 0x20)), 4);           /* mov %eax, 0x20(%rsp) */
	assert_int_equal(moved_len(BYTES(0x89, 0x84, 0x24, 0, 1, 0, 0)), 7);     /* mov %eax, 0x100(%rsp) */
	assert_int_equal(moved_len(BYTES(0x49, 0x8b, 0x04, 0x24)), 4);           /* mov (%r12), %rax */
	assert_int_equal(moved_len(BYTES(0x48, 0xc7, 0x02, 0, 0, 0, 0)), 7);     /* movq $0, (%rdx) */
	assert_int_equal(moved_len(BYTES(0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0)), 9); /* mov %fs:0, %rax */
	assert_int_equal(moved_len(BYTES(0x41, 0x83, 0xe0, 0x01)), 4);           /* and $1, %r8d */
	assert_int_equal(moved_len(BYTES(0x0f, 0x48, 0xc2)), 3);                 /* cmovs %edx, %eax */
}

static void test_not_moved(void **state)
{
	(void)state;
	assert_int_equal(moved_len(BYTES(0x85, 0xc0)), 0);                         /* too short */
	assert_int_equal(moved_len(BYTES(0x8b, 0x05, 0, 0, 0, 0)), 0);             /* mov 0(%rip), %eax */
	assert_int_equal(moved_len(BYTES(0x48, 0x8d, 0x35, 0, 0, 0, 0)), 0);       /* lea 0(%rip), %rsi */
	assert_int_equal(moved_len(BYTES(0xe9, 0, 0, 0, 0)), 0);                   /* jmp */
	assert_int_equal(moved_len(BYTES(0xe8, 0, 0, 0, 0)), 0);                   /* call */
	assert_int_equal(moved_len(BYTES(0x0f, 0x84, 0, 0, 0, 0)), 0);             /* je */
	assert_int_equal(moved_len(BYTES(0xff, 0x54, 0x24, 0x08)), 0);             /* call *8(%rsp) */
	assert_int_equal(moved_len(BYTES(0xff, 0x64, 0x24, 0x08)), 0);             /* jmp *8(%rsp) */
	assert_int_equal(moved_len(BYTES(0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05)), 0);    /* the next call's number */
	assert_int_equal(moved_len(BYTES(0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0)), 0); /* mov %gs: ours */
	assert_int_equal(moved_len(BYTES(0x48, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0)), 0); /* movabs */
	assert_int_equal(moved_len(BYTES(0x66, 0x05, 0, 0, 0x90)), 0);             /* add $0, %ax */
	assert_int_equal(moved_len(BYTES(0x0f, 0x05, 0x90, 0x90)), 0);             /* another call */
}

static void test_padded_ret(void **state)
{
	(void)state;
	assert_int_equal(moved_len(BYTES(0xc3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc)), 1);
	assert_int_equal(moved_len(BYTES(0xc3, 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x53)), 1);
	assert_int_equal(moved_len(BYTES(0xc3, 0x0f, 0x1f, 0x80, 0, 0, 0, 0, 0x66, 0x90, 0x53)), 1);
	assert_int_equal(moved_len(BYTES(0xc3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0x53)), 0);
	assert_int_equal(moved_len(BYTES(0xc3, 0x48, 0x89, 0xc7, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90)), 0);
	assert_int_equal(moved_len(BYTES(0xc3)), 0);
}

/* A function begins right behind, or a byte further. */
static void test_ret_at_the_end(void **state)
{
	static const uint8_t behind[] = { 0xc3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc };
	uint8_t window[DECODE_WINDOW];
	unsigned moved;

	(void)state;
	memset(window, 0xcc, sizeof(window));
	memcpy(window + DECODE_BEFORE + SYSCALL_LEN, behind, sizeof(behind));
	assert_int_equal(decode_site(window, 0x100d, 1, &moved), DECODE_NONE);
	assert_int_equal(decode_site(window, 0x100c, 1, &moved), DECODE_NONE);
	assert_int_equal(decode_site(window, 0x100b, 1, &moved), DECODE_B);
	assert_int_equal(moved, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_before), cmocka_unit_test(test_no_number_before),
		cmocka_unit_test(test_moved),         cmocka_unit_test(test_not_moved),
		cmocka_unit_test(test_padded_ret),    cmocka_unit_test(test_ret_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
