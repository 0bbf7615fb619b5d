/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs for seccomp(2): what the kernel takes and what it finds, beside what we do. */
#include "test.h"

#include <linux/audit.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "vuos/resident/filter.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define LOAD(at)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)

enum { MAX_LEN = 24, PROGRAMS = 20000, RUNS = 300, NO_KERNEL = 77 };

static const struct seccomp_data example = {
	.nr = 39, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = 0x123456789abc,
	.args = { 1, 0xfffffffffffffffe, 3, 0x8000000000000000, 5, 6 },
};

static uint32_t run(const struct sock_filter *code, size_t len)
{
	uint32_t used = 0;

	assert_true(filter_is_valid(code, len));
	return filter_run(code, &example, &used);
}

static void test_example(void **state)
{
	const struct sock_filter by_number[] = {
		LOAD(offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 39, 0, 1),
		RETURN(SECCOMP_RET_ERRNO | 5),
		RETURN(SECCOMP_RET_ALLOW),
	};
	const struct sock_filter by_argument[] = {
		LOAD(offsetof(struct seccomp_data, args[1]) + 4),
		BPF_STMT(BPF_ST, 15),
		LOAD(offsetof(struct seccomp_data, args[1])),
		BPF_STMT(BPF_LDX | BPF_MEM, 15),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	uint32_t used = 0;

	(void)state;
	assert_int_equal(run(by_number, COUNT(by_number)), SECCOMP_RET_ERRNO | 5);
	assert_int_equal(run(by_argument, COUNT(by_argument)), UINT32_MAX);
	(void)filter_run(by_number, &example, &used);
	assert_int_equal(used, FILTER_USED(nr));
	(void)filter_run(by_argument, &example, &used);
	assert_int_equal(used, FILTER_USED(nr) | FILTER_USED(args[1]) | FILTER_USED(args[1]) << 1);
}

static void test_arithmetic(void **state)
{
	static const struct {
		uint16_t operation;
		uint32_t a, b, result;
	} rows[] = {
		{ BPF_ADD, UINT32_MAX, 2, 1 },		{ BPF_SUB, 1, 2, UINT32_MAX },
		{ BPF_MUL, 0x10001, 0x10001, 0x20001 }, { BPF_DIV, 7, 2, 3 },
		{ BPF_DIV, 7, 0, 0 },			{ BPF_AND, 6, 3, 2 },
		{ BPF_OR, 6, 3, 7 },			{ BPF_XOR, 6, 3, 5 },
		{ BPF_LSH, 3, 31, 0x80000000 },		{ BPF_LSH, 3, 33, 6 },
		{ BPF_RSH, 0x80000000, 31, 1 },		{ BPF_RSH, 6, 33, 3 },
		{ BPF_NEG, 1, 0, UINT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct sock_filter code[] = {
			BPF_STMT(BPF_LDX | BPF_IMM, rows[i].b),
			BPF_STMT(BPF_LD | BPF_IMM, rows[i].a),
			BPF_STMT(BPF_ALU | rows[i].operation | (rows[i].operation == BPF_NEG ? BPF_K : BPF_X),
				 0),
			BPF_STMT(BPF_RET | BPF_A, 0),
		};

		assert_int_equal(run(code, COUNT(code)), rows[i].result);
	}
}

static void test_refused(void **state)
{
	static const struct sock_filter rows[][3] = {
		{ LOAD(0), LOAD(4), LOAD(8) },                                      /* no end */
		{ LOAD(2), RETURN(0), RETURN(0) },                                  /* not aligned */
		{ LOAD(64), RETURN(0), RETURN(0) },                                 /* outside */
		{ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(0), RETURN(0) },
		{ BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN(0), RETURN(0) },            /* never written */
		{ BPF_STMT(BPF_ST, 16), RETURN(0), RETURN(0) },
		{ BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0), RETURN(0) },
		{ BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0), RETURN(0) },
		{ BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), RETURN(0), RETURN(0) },
		{ BPF_STMT(BPF_JMP | BPF_JA, 2), RETURN(0), RETURN(0) },
		{ BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), RETURN(0), RETURN(0) },
		{ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2), RETURN(0), RETURN(0) },
		{ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0), RETURN(0), RETURN(0) },
		{ BPF_STMT(0xffff, 0), RETURN(0), RETURN(0) },
	};
	static struct sock_filter longest[BPF_MAXINSNS + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (filter_is_valid(rows[i], 3))
			fail_msg("row %zu is taken", i);
	for (size_t i = 0; i < COUNT(longest); i++)
		longest[i] = (struct sock_filter)RETURN(0);
	assert_false(filter_is_valid(longest, 0));
	assert_true(filter_is_valid(longest, BPF_MAXINSNS));
	assert_false(filter_is_valid(longest, BPF_MAXINSNS + 1));
}

/* --- beside the kernel ------------------------------------------------------------------------------ */

static uint32_t random_constant(uint64_t *seed)
{
	static const uint32_t constants[] = { 0, 1, 3, 4, 15, 16, 31, 32, 60, 64, UINT32_MAX };

	return test_random(seed) % 2 ? constants[test_random(seed) % COUNT(constants)] :
				       (uint32_t)(test_random(seed) % 20 * 4);
}

/* One that is probably valid; at all LEFT instructions can be jumped over. */
static struct sock_filter random_instruction(uint64_t *seed, size_t left)
{
	static const uint16_t codes[] = {
		BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_W | BPF_LEN, BPF_LD | BPF_IMM,
		BPF_LD | BPF_MEM, BPF_LDX | BPF_W | BPF_LEN, BPF_LDX | BPF_IMM, BPF_LDX | BPF_MEM, BPF_ST,
		BPF_ST, BPF_STX, BPF_ALU | BPF_NEG, BPF_JMP | BPF_JA, BPF_RET | BPF_K, BPF_RET | BPF_A,
		BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA,
	};
	struct sock_filter at = { .k = random_constant(seed) };
	unsigned source = test_random(seed) % 2 ? BPF_X : BPF_K;

	switch (test_random(seed) % 4) {
	case 0:
		at.code = (uint16_t)(BPF_ALU | (test_random(seed) % 11 << 4) | source);
		break;
	case 1:
		at.code = (uint16_t)(BPF_JMP | (test_random(seed) % 5 << 4) | source);
		at.jt = (uint8_t)(test_random(seed) % (left + 2));
		at.jf = (uint8_t)(test_random(seed) % (left + 2));
		if (BPF_OP(at.code) == BPF_JA)
			at.k = (uint32_t)(test_random(seed) % (left + 2));
		break;
	default:
		at.code = codes[test_random(seed) % COUNT(codes)];
	}
	if (test_random(seed) % 100 == 0)
		at.code = (uint16_t)test_random(seed);
	return at;
}

static size_t random_program(uint64_t *seed, struct sock_filter code[MAX_LEN])
{
	size_t len = test_random(seed) % 8 + 1;

	for (size_t i = 0; i + 1 < len; i++)
		code[i] = random_instruction(seed, len - i - 1);
	code[len - 1] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	if (test_random(seed) % 20 == 0)
		code[len - 1] = random_instruction(seed, 0);
	return len;
}

static long install(unsigned flags, const struct sock_filter *code, size_t len)
{
	const struct sock_fprog program = { (unsigned short)len, (struct sock_filter *)(uintptr_t)code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/*
 * A second listener is refused as such, but only after the program was found valid: so nothing gets
 * installed.
 */
static int compare_checks(void)
{
	static const struct sock_filter all = RETURN(SECCOMP_RET_ALLOW);
	struct sock_filter code[MAX_LEN];
	uint64_t seed = 1;
	int valid = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    install(SECCOMP_FILTER_FLAG_NEW_LISTENER, &all, 1) < 0)
		return NO_KERNEL;
	for (int i = 0; i < PROGRAMS; i++) {
		size_t len = random_program(&seed, code);
		bool fine = filter_is_valid(code, len);

		if (install(SECCOMP_FILTER_FLAG_NEW_LISTENER, code, len) >= 0 ||
		    errno != (fine ? EBUSY : EINVAL)) {
			(void)fprintf(stderr, "program %d, %zu instructions: %s by us; errno %d\n", i, len,
				      fine ? "taken" : "refused", errno);
			for (size_t at = 0; at < len; at++)
				(void)fprintf(stderr, "\t%x %u %u %x\n", code[at].code, code[at].jt,
					      code[at].jf, code[at].k);
			return 1;
		}
		valid += fine;
	}
	return valid < PROGRAMS / 10 || valid > PROGRAMS - PROGRAMS / 10;
}

static int child_status(int (*function)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(function());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_checks_as_the_kernel(void **state)
{
	int status = child_status(compare_checks);

	(void)state;
	if (status == NO_KERNEL)
		skip();
	assert_int_equal(status, 0);
}

/* Its accumulator becomes the call's error. False: it does not come to that. */
static bool random_run(uint64_t *seed, struct sock_filter code[MAX_LEN], size_t *ret_len)
{
	static const struct sock_filter end[] = {
		BPF_STMT(BPF_MISC | BPF_TAX, 0),	   BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 11),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),	   BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7ff),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT(BPF_RET | BPF_A, 0),
	};
	size_t len = test_random(seed) % 10 + 3;

	for (size_t i = 0; i < len; i++) {
		code[i] = random_instruction(seed, len - i - 1);
		if (BPF_CLASS(code[i].code) == BPF_RET)
			return false;
	}
	memcpy(code + len, end, sizeof(end));
	*ret_len = len + COUNT(end);
	return filter_is_valid(code, *ret_len);
}

/* The call that EXAMPLE has. What it returns gets to RESULT; that is all the process can still do. */
static void call_example(volatile long *result)
{
	register uint64_t r10 __asm__("r10") = example.args[3], r8 __asm__("r8") = example.args[4];
	register uint64_t r9 __asm__("r9") = example.args[5];
	long r = example.nr;

	__asm__ volatile("syscall\n\tmov %0, (%1)\n\tud2"
			 : "+a"(r)
			 : "r"(result), "D"(example.args[0]), "S"(example.args[1]), "d"(example.args[2]),
			   "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
}

static int run_in_kernel(const struct sock_filter *code, size_t len, volatile long *result)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGILL, SIG_DFL);
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || install(0, code, len) < 0)
			_exit(NO_KERNEL);
		call_example(result);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* The place of the call is the kernel's to know: such programs are left out. */
static void test_runs_as_the_kernel(void **state)
{
	volatile long *result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sock_filter code[MAX_LEN];
	uint64_t seed = 2;
	size_t len = 0;

	(void)state;
	assert_ptr_not_equal(result, MAP_FAILED);
	for (int runs = 0; runs < RUNS;) {
		uint32_t used = 0, found;
		int status;

		if (!random_run(&seed, code, &len))
			continue;
		found = filter_run(code, &example, &used);
		if (used & 3 * FILTER_USED(instruction_pointer))
			continue;
		runs++;
		*result = 1;
		status = run_in_kernel(code, len, result);
		if (WIFEXITED(status) && WEXITSTATUS(status) == NO_KERNEL)
			skip();
		if (found == 0) {
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
			continue;
		}
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
		assert_int_equal(*result, -(long)(found & SECCOMP_RET_DATA));
	}
	assert_int_equal(munmap((void *)(uintptr_t)result, 4096), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_checks_as_the_kernel),
		cmocka_unit_test(test_runs_as_the_kernel),
	};

	return RUN_TESTS(tests);
}
