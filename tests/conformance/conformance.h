/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cases of the conformance suite: what a program sees of its system calls. Each says what it observed, in
 * words and in order, and has beside it what the manual pages promise. The same program runs bare and under
 * umvu: nothing of an observation may differ, so addresses, times and process numbers are never said.
 */
#pragma once

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct test_case {
	const char *name, *expected;
	void (*run)(void);
	bool as_root;
};

/* Expected: the same bare and inside, whatever it is. */
#define ANYTHING NULL

#define CASE_FOR(id, text, root)                                                                     \
	static void case_##id(void);                                                                 \
	static const struct test_case entry_##id = { #id, text, case_##id, root };                   \
	static const struct test_case *const pointer_##id __attribute__((used, section("cases"))) =  \
		&entry_##id;                                                                         \
	static void case_##id(void)

/* CASE(name, "what is expected") { ... } */
#define CASE(id, text) CASE_FOR(id, text, false)
/* One that an ordinary user cannot do. */
#define CASE_AS_ROOT(id, text) CASE_FOR(id, text, true)

#define PAGE ((size_t)4096)

/* Adds a word to what was observed; also from handlers, threads and children. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "label=" and the result, or the name of errno when it is -1. */
void say_result(const char *label, long result);
#define TRY(label, expression)                     \
	do {                                       \
		errno = 0;                         \
		say_result(label, (long)(expression)); \
	} while (0)

/* The status of a case that cannot be run here. */
enum { STATUS_SKIPPED = 77 };

/* Something that the test itself needs, not what is tested. */
void need_true(bool fine, const char *what);
#define NEED(expression) need_true(expression, #expression)

const char *signal_name(int signo);
/* "label=" and how a process ended: exit:N, SIGNAME, stopped:SIGNAME. */
void say_status(const char *label, int status);
/* Runs a function in a child, and says how that ended. */
void say_end(const char *label, void (*run)(void));
/* A child that runs the function and then ends with status 0. */
pid_t start(void (*run)(void));
int wait_status(pid_t pid);

/* Memory: LEN bytes of which the last is followed by a page that cannot be touched. */
void *at_end(size_t len);
/* A text that ends exactly there. */
char *text_at_end(const char *text);
/* A page that cannot be touched. */
void *nowhere(void);
/* Memory that children share. */
void *shared(size_t len);
#define KERNEL_POINTER ((void *)0xffff800000001000)
#define ODD_POINTER    ((void *)0x0123456789abcdef) /* no address at all */

/* Waits till the thread sleeps in a system call. */
void wait_asleep(pid_t tid);
/* Waits till the number is there. */
void wait_number(const volatile int *number, int wanted);
void pause_shortly(void);

void handle(int signo, void (*handler)(int), int flags);
void handle_info(int signo, void (*handler)(int, siginfo_t *, void *), int flags);
sigset_t set_of(int first, ...); /* up to 0 */
void block(int signo);
void unblock(int signo);
bool is_blocked(int signo);
bool is_pending(int signo);

/* The scratch directory, which is the current one; and this program's path. */
extern const char *own_path;
void write_file(const char *path, const char *text, int mode);
void copy_file(const char *from, const char *to, int mode);
size_t read_file(const char *path, char *text, size_t size);

/* What the program does when it is executed by a case: "@name" is its first argument. */
struct helper {
	const char *name;
	int (*run)(int argc, char **argv);
};
#define HELPER(id)                                                                                      \
	static int helper_##id(int argc, char **argv);                                                  \
	static const struct helper helper_entry_##id = { "@" #id, helper_##id };                        \
	static const struct helper *const helper_pointer_##id __attribute__((used, section("helpers"))) = \
		&helper_entry_##id;                                                                     \
	static int helper_##id(int argc, char **argv)
