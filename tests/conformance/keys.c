/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protection keys of memory: what a thread may not touch, calls may not touch for it; and what handlers may. */
#include "conformance.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>

#define OFTEN 20 /* until a call site is known well */

static int key, out;
static volatile char *page;

/* A page with a key, of which all is allowed. Not every processor has them, and not every kernel lets them. */
static void take_key(void)
{
	key = pkey_alloc(0, 0);
	if (key < 0)
		_exit(STATUS_SKIPPED);
	page = shared(PAGE);
	NEED(pkey_mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE, key) == 0);
	out = open("/dev/null", O_WRONLY);
	page[0] = 'x';
}

static int count_written(void)
{
	int count = 0, fds[2];

	NEED(pipe(fds) == 0);
	for (int i = 0; i < OFTEN; i++)
		count += write(fds[1], (void *)page, 1) == 1;
	NEED(close(fds[0]) == 0 && close(fds[1]) == 0);
	return count;
}

CASE(keys_of_calls, "allowed=20 denied=EFAULT 0 again=20 read_only=EFAULT get=2")
{
	int fds[2];

	take_key();
	say("allowed=%d", count_written());
	NEED(pipe(fds) == 0 && pkey_set(key, PKEY_DISABLE_ACCESS) == 0);
	TRY("denied", write(fds[1], (void *)page, 1));
	say("%d", count_written());
	NEED(pkey_set(key, 0) == 0);
	say("again=%d", count_written());
	NEED(write(fds[1], "y", 1) == 1 && pkey_set(key, PKEY_DISABLE_WRITE) == 0);
	TRY("read_only", read(fds[0], (void *)page, 1));
	say("get=%d", pkey_get(key));
}

CASE(keys_that_are_denied_at_first, "access=1 write=2 both=1 older=0")
{
	take_key();
	say("access=%d", pkey_get(pkey_alloc(0, PKEY_DISABLE_ACCESS)));
	say("write=%d", pkey_get(pkey_alloc(0, PKEY_DISABLE_WRITE)));
	for (int i = 0; i < 8; i++) {
		int more = pkey_alloc(0, PKEY_DISABLE_ACCESS);

		NEED(pkey_free(more) == 0);
		if (i == 7)
			say("both=%d", pkey_get(more));
	}
	say("older=%d", pkey_get(key));
}

static sigjmp_buf back;
static siginfo_t fault;
static int rights_inside = -1;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	fault = *info;
	siglongjmp(back, 1);
}

static void on_signal(int signo)
{
	(void)signo;
	rights_inside = pkey_get(key);
	NEED(pkey_set(key, PKEY_DISABLE_WRITE) == 0);
}

CASE(keys_of_handlers, "inside=1 after=0 written=20 code=1 key=1 restored=20")
{
	take_key();
	handle(SIGUSR1, on_signal, 0);
	handle_info(SIGSEGV, on_fault, 0);
	NEED(raise(SIGUSR1) == 0);
	say("inside=%d after=%d written=%d", rights_inside, pkey_get(key), count_written());
	NEED(pkey_set(key, PKEY_DISABLE_ACCESS) == 0);
	if (sigsetjmp(back, 1) == 0)
		(void)page[0];
	say("code=%d key=%d", fault.si_code == SEGV_PKUERR, (int)fault.si_pkey == key);
	NEED(pkey_set(key, 0) == 0);
	say("restored=%d", count_written());
}

static void *look_at_rights(void *argument)
{
	*(int *)argument = pkey_get(key) * 100 + count_written();
	return NULL;
}

static void say_rights(void)
{
	say("child=%d,%d", pkey_get(key), count_written());
}

CASE(keys_of_children, "thread=20 denied=100 child=0,20 end=exit:0")
{
	pthread_t thread;
	int seen = -1;

	take_key();
	NEED(pthread_create(&thread, NULL, look_at_rights, &seen) == 0 && pthread_join(thread, NULL) == 0);
	say("thread=%d", seen);
	NEED(pkey_set(key, PKEY_DISABLE_ACCESS) == 0);
	NEED(pthread_create(&thread, NULL, look_at_rights, &seen) == 0 && pthread_join(thread, NULL) == 0);
	say("denied=%d", seen);
	NEED(pkey_set(key, 0) == 0);
	say_end("end", say_rights);
}
