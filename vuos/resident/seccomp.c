/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. The kernel would run a program's filters on our calls, too, so it never gets
 * them: filter.c runs them on the calls that the program makes, before they are served. Each thread has
 * a chain of filters that never change, the newest first; a thread shares it with its parent. So a
 * chain's end may be of many, and is unmapped by the last of them. A change of what a thread has is made
 * with the lock of the threads' list, since with SECCOMP_FILTER_FLAG_TSYNC one thread gives its chain to
 * all others.
 *
 * Most filters decide by the call's number alone. Of a number that was let through by a look at nothing
 * else a chain keeps that, and does not run again.
 *
 * What ends a thread or process, or becomes a signal, needs the kernel's frame: from a patched call site
 * the call is made afresh, which traps. A thread that has to die alone does so by the kernel: it
 * gets a real filter in its last moment.
 *
 * Not done: notifications to another process (SECCOMP_RET_USER_NOTIF: there is no way to get a listener),
 * the kernel's log, calls by way of the vsyscall page, and what /proc shows. This binds programs as far as
 * they do not know of us: one that is hostile can jump into our text.
 */
#include "vuos/resident/seccomp.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "vuos/resident/dispatch.h"
#include "vuos/resident/filter.h"
#include "vuos/resident/patch.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/stacks.h"
#include "vuos/resident/thread_list.h"
#include "vuos/resident/trace.h"

#define ERROR_MAX     4095
#define LINK_COST     4       /* the kernel counts so many instructions more for each filter */
#define CHAIN_MAX     32768   /* instructions of all filters, with that */
#define NUMBERS       512
#define SYS_SECCOMP   1       /* siginfo.code */
#define STATUS_BROKEN 126
#define KNOWN_FILTER_FLAGS (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | \
			    SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
#define USED_NUMBER   (FILTER_USED(nr) | FILTER_USED(arch))
#define USED_POINTER  (3 * FILTER_USED(instruction_pointer))

struct filter_link {
	struct filter_link *before; /* the filter that was there first */
	uint32_t users;             /* threads, and links behind it */
	uint32_t len, total;        /* instructions; of the chain, with costs */
	uint64_t allowed[NUMBERS / 64]; /* numbers that the chain lets through whatever else they have */
	struct sock_filter code[];
};

static size_t link_size(size_t len)
{
	return sizeof(struct filter_link) + len * sizeof(struct sock_filter);
}

static struct filter_link *link_new(uint32_t len)
{
	long memory = NATIVE(__NR_mmap, 0, link_size(len), 3, 0x22, -1, 0);
	struct filter_link *link = (struct filter_link *)memory;

	if (is_error(memory))
		return NULL;
	link->len = len;
	return link;
}

static struct filter_link *link_use(struct filter_link *link)
{
	if (link)
		(void)__atomic_add_fetch(&link->users, 1, __ATOMIC_RELAXED);
	return link;
}

static void link_free(struct filter_link *link)
{
	(void)NATIVE(__NR_munmap, link, link_size(link->len));
}

static void link_drop(struct filter_link *link)
{
	while (link && __atomic_sub_fetch(&link->users, 1, __ATOMIC_ACQ_REL) == 0) {
		struct filter_link *before = link->before;

		link_free(link);
		link = before;
	}
}

/* LINK, which is valid, goes on a chain that ends at BEFORE. False: it would be too long. */
static bool link_join(struct filter_link *link, struct filter_link *before)
{
	link->total = link->len + LINK_COST + (before ? before->total : 0);
	if (link->total > CHAIN_MAX)
		return false;
	link->before = link_use(before);
	return true;
}

/* The thread gets CHAIN, which counts it already, in place of what it had. */
static void state_set(struct context *c, uint32_t mode, struct filter_link *chain)
{
	struct filter_link *old = c->seccomp.chain;

	__atomic_store_n(&c->seccomp.chain, chain, __ATOMIC_RELEASE);
	__atomic_store_n(&c->seccomp.mode, mode, __ATOMIC_RELEASE);
	(void)__atomic_fetch_or(&process.watch, WATCH_SECCOMP, __ATOMIC_RELEASE);
	link_drop(old);
}

/* --- what the filters say ---------------------------------------------------------------------- */

static uint32_t call_architecture(const struct call *call)
{
	return call->frame ? call->frame->info.architecture : AUDIT_ARCH_X86_64;
}

/* Where the program thinks it is: it does not know of our stubs. */
static uint64_t call_place(const struct call *call)
{
	struct frame frame = { .uc.rip = call->pc };

	patch_canonical(&frame);
	return frame.uc.rip;
}

static int32_t action_of(uint32_t verdict)
{
	return (int32_t)(verdict & SECCOMP_RET_ACTION_FULL);
}

/* The lowest action wins; of equal ones that of the newest filter. */
static uint32_t ask_all(const struct filter_link *chain, const struct seccomp_data *data, uint32_t *used)
{
	uint32_t verdict = SECCOMP_RET_ALLOW;

	for (const struct filter_link *link = chain; link; link = link->before) {
		uint32_t says = filter_run(link->code, data, used);

		if (action_of(says) < action_of(verdict))
			verdict = says;
	}
	return verdict;
}

static uint32_t verdict_of(struct filter_link *chain, const struct call *call)
{
	struct seccomp_data data = { .nr = (int)call->raw[0], .arch = call_architecture(call),
				     .instruction_pointer = call->pc };
	uint64_t number = call->raw[0], bit = 1ull << number % 64;
	bool is_known = number < NUMBERS && data.arch == AUDIT_ARCH_X86_64;
	uint32_t used = 0, verdict;

	if (is_known && __atomic_load_n(&chain->allowed[number / 64], __ATOMIC_RELAXED) & bit)
		return SECCOMP_RET_ALLOW;
	memcpy(data.args, call->raw + 1, sizeof(data.args));
	verdict = ask_all(chain, &data, &used);
	if (used & USED_POINTER) {
		/* Few look at that, and it takes long to find. */
		data.instruction_pointer = call_place(call);
		verdict = ask_all(chain, &data, &used);
	}
	if (is_known && verdict == SECCOMP_RET_ALLOW && !(used & ~USED_NUMBER))
		(void)__atomic_fetch_or(&chain->allowed[number / 64], bit, __ATOMIC_RELAXED);
	return verdict;
}

/* --- and what comes of it ------------------------------------------------------------------------ */

static struct siginfo signal_of(const struct call *call, uint32_t verdict)
{
	return (struct siginfo){
		.signo = SIGSYS, .error = (int32_t)(verdict & SECCOMP_RET_DATA), .code = SYS_SECCOMP,
		.address = call_place(call), .call = (int32_t)call->raw[0],
		.architecture = call_architecture(call),
	};
}

/* The call becomes a signal; the registers are as if it had not been made. */
static long raise_signal(struct context *c, struct call *call, uint32_t verdict)
{
	struct siginfo info = signal_of(call, verdict);

	if (!call->frame)
		return CALL_RESTART;
	signal_force(c, call->frame, &info);
	call->keep = true;
	return 0;
}

static long kill_process(struct call *call, uint32_t verdict)
{
	struct siginfo info = signal_of(call, verdict);

	if (!call->frame)
		return CALL_RESTART;
	signal_kill(call->frame, &info);
	call->keep = true;
	return 0;
}

static bool is_alone(const struct context *c)
{
	const struct context *first;
	bool alone;

	thread_list_lock();
	first = thread_list_next(c, NULL);
	alone = first && !thread_list_next(c, first);
	thread_list_unlock();
	return alone;
}

/* By the kernel, since the first thread's end is the process's when the others have ended. */
static void end_by_filter(void)
{
	struct sock_filter kill = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD);
	const struct sock_fprog program = { .len = 1, .filter = &kill };

	(void)NATIVE(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)NATIVE(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	(void)NATIVE(__NR_getpid);
}

static void end_strictly(void)
{
	(void)NATIVE(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
	(void)NATIVE(__NR_getpid);
	/* Our own trap stands in the way. */
	(void)NATIVE(__NR_kill, NATIVE(__NR_getpid), SIGKILL);
}

static _Noreturn void kill_thread(struct context *c, void (*end)(void))
{
	bool is_first = NATIVE(__NR_getpid) == NATIVE(__NR_gettid);

	trace_flush();
	(void)signals_block_all();
	thread_list_remove(c);
	seccomp_drop(c);
	if (is_first)
		end();
	stack_end(c, 0);
}

static long act(struct context *c, struct call *call, uint32_t verdict, call_handler *serve)
{
	uint32_t data = verdict & SECCOMP_RET_DATA;

	switch (verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return serve(c, call);
	case SECCOMP_RET_ERRNO:
		return -(long)MIN(data, ERROR_MAX);
	case SECCOMP_RET_TRACE:      /* nobody traces */
	case SECCOMP_RET_USER_NOTIF: /* nobody listens */
		return -ENOSYS;
	case SECCOMP_RET_TRAP:
		return raise_signal(c, call, verdict);
	case SECCOMP_RET_KILL_THREAD:
		if (!is_alone(c))
			kill_thread(c, end_by_filter);
		return kill_process(call, verdict);
	default:
		return kill_process(call, verdict);
	}
}

/* What a thread may do that has only memory and open files to work with. */
static bool is_strict(const struct call *call)
{
	return call_architecture(call) == AUDIT_ARCH_X86_64 &&
	       (call->raw[0] == __NR_read || call->raw[0] == __NR_write || call->raw[0] == __NR_exit ||
		call->raw[0] == __NR_rt_sigreturn);
}

long seccomp_serve(struct context *c, struct call *call, call_handler *serve)
{
	uint32_t mode = __atomic_load_n(&c->seccomp.mode, __ATOMIC_ACQUIRE);

	if (c->seccomp.privs_due) {
		c->seccomp.privs_due = false;
		(void)NATIVE(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	}
	if (mode == SECCOMP_MODE_DISABLED)
		return serve(c, call);
	if (mode == SECCOMP_MODE_FILTER)
		return act(c, call, verdict_of(c->seccomp.chain, call), serve);
	if (!is_strict(call))
		kill_thread(c, end_strictly);
	return serve(c, call);
}

/* --- setting them -------------------------------------------------------------------------------- */

static uint32_t outer_mode(void)
{
	if (process.trap == TRAP_DISPATCH)
		return (uint32_t)NATIVE(__NR_prctl, PR_GET_SECCOMP, 0, 0, 0, 0);
	return process.outer_seccomp;
}

static bool may_have_mode(const struct context *c, uint32_t mode)
{
	uint32_t now = c->seccomp.mode ? c->seccomp.mode : outer_mode();

	return !now || now == mode;
}

static bool has_no_new_privs(const struct context *c)
{
	if (process.trap != TRAP_DISPATCH)
		return c->seccomp.no_new_privs;
	return NATIVE(__NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

/* A filter may fool a program that has more rights than who set it. */
static bool may_filter(const struct context *c)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (has_no_new_privs(c))
		return true;
	return NATIVE(__NR_capget, &head, data) == 0 && data[0].effective >> CAP_SYS_ADMIN & 1;
}

static bool is_ancestor(const struct filter_link *old, const struct filter_link *chain)
{
	while (chain && chain != old)
		chain = chain->before;
	return chain == old;
}

/* A thread that cannot get C's chain, since it has filters that C has not. */
static const struct context *unlike_thread(const struct context *c)
{
	for (const struct context *at = thread_list_next(c, NULL); at; at = thread_list_next(c, at))
		if (at != c && (at->seccomp.mode == SECCOMP_MODE_STRICT ||
				!is_ancestor(at->seccomp.chain, c->seccomp.chain)))
			return at;
	return NULL;
}

static void give_to_all(const struct context *c)
{
	bool no_new_privs = has_no_new_privs(c);

	for (struct context *at = thread_list_next(c, NULL); at; at = thread_list_next(c, at)) {
		if (at == c)
			continue;
		at->seccomp.no_new_privs |= no_new_privs;
		at->seccomp.privs_due |= no_new_privs;
		state_set(at, SECCOMP_MODE_FILTER, link_use(c->seccomp.chain));
	}
}

/*
 * With the lock. LINK is the thread's from here on if the result is 0. -EAGAIN: it depends on a thread
 * that is so young that its number is not known.
 */
static long attach(struct context *c, struct filter_link *link, uint64_t flags)
{
	const struct context *unlike = flags & SECCOMP_FILTER_FLAG_TSYNC ? unlike_thread(c) : NULL;

	if (unlike)
		return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH :
		       unlike->tid			       ? (long)unlike->tid : -EAGAIN;
	if (!link_join(link, c->seccomp.chain))
		return -ENOMEM;
	state_set(c, SECCOMP_MODE_FILTER, link_use(link));
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		give_to_all(c);
	return 0;
}

static long set_filter(struct context *c, uint64_t flags, uint64_t at)
{
	struct sock_fprog program;
	struct filter_link *link;
	uint64_t mask;
	long r;

	if (flags & ~(uint64_t)KNOWN_FILTER_FLAGS)
		return -EINVAL; /* so for a listener: what it is told would be our calls, too */
	if (copy_in(&program, at, sizeof(program)) < 0)
		return -EFAULT;
	if (program.len == 0 || program.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!may_filter(c))
		return -EACCES;
	if (!program.filter)
		return -EINVAL;
	link = link_new(program.len);
	if (!link)
		return -ENOMEM;
	if (copy_in(link->code, (uint64_t)program.filter, program.len * sizeof(link->code[0])) < 0)
		r = -EFAULT;
	else if (!filter_is_valid(link->code, program.len) || !may_have_mode(c, SECCOMP_MODE_FILTER))
		r = -EINVAL;
	else
		r = 0;
	if (r == 0) {
		mask = signals_block_all();
		do {
			thread_list_lock();
			r = attach(c, link, flags);
			thread_list_unlock();
		} while (r == -EAGAIN && NATIVE(__NR_sched_yield) == 0);
		signals_restore(mask);
	}
	if (r)
		link_free(link);
	return r;
}

static long set_strict(struct context *c)
{
	if (!may_have_mode(c, SECCOMP_MODE_STRICT))
		return -EINVAL;
	state_set(c, SECCOMP_MODE_STRICT, NULL);
	return 0;
}

static long has_action(uint64_t at)
{
	static const uint32_t actions[] = {
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
		SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW,
	};
	uint32_t action;

	if (copy_in(&action, at, sizeof(action)) < 0)
		return -EFAULT;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (actions[i] == action)
			return 0;
	return -EOPNOTSUPP;
}

long call_seccomp(struct context *c, struct call *call)
{
	uint64_t flags = (uint32_t)CALL_ARG(call, 1), at = CALL_ARG(call, 2);

	switch ((uint32_t)CALL_ARG(call, 0)) {
	case SECCOMP_SET_MODE_STRICT:
		return flags || at ? -EINVAL : set_strict(c);
	case SECCOMP_SET_MODE_FILTER:
		return set_filter(c, flags, at);
	case SECCOMP_GET_ACTION_AVAIL:
		return flags ? -EINVAL : has_action(at);
	case SECCOMP_GET_NOTIF_SIZES:
		return native_call(call->raw);
	default:
		return -EINVAL;
	}
}

static long set_mode(struct context *c, const struct call *call)
{
	switch (CALL_ARG(call, 1)) {
	case SECCOMP_MODE_STRICT:
		return set_strict(c);
	case SECCOMP_MODE_FILTER:
		return set_filter(c, 0, CALL_ARG(call, 2));
	default:
		return -EINVAL;
	}
}

long seccomp_prctl(struct context *c, struct call *call)
{
	long r;

	switch ((int)CALL_ARG(call, 0)) {
	case PR_SET_SECCOMP:
		return set_mode(c, call);
	case PR_GET_SECCOMP:
		return c->seccomp.mode ? c->seccomp.mode : outer_mode();
	case PR_SET_NO_NEW_PRIVS:
		r = native_call(call->raw);
		c->seccomp.no_new_privs |= r == 0;
		return r;
	default: /* PR_GET_NO_NEW_PRIVS */
		r = native_call(call->raw);
		return r < 0 ? r : has_no_new_privs(c);
	}
}

/* --- children, and other programs ---------------------------------------------------------------- */

void seccomp_inherit(struct context *child, const struct context *parent)
{
	child->seccomp = parent->seccomp;
	(void)link_use(child->seccomp.chain);
}

void seccomp_drop(struct context *c)
{
	struct filter_link *chain = c->seccomp.chain;

	c->seccomp.chain = NULL;
	c->seccomp.mode = SECCOMP_MODE_DISABLED;
	link_drop(chain);
}

static size_t saved_size(const struct filter_link *link)
{
	return sizeof(struct exec_filter) + link->len * sizeof(link->code[0]);
}

void seccomp_save(const struct context *c, struct exec_writer *writer)
{
	struct exec_filters head = { .mode = c->seccomp.mode, .outer = process.outer_seccomp,
				     .no_new_privs = c->seccomp.no_new_privs };
	size_t size = sizeof(head);
	char *bytes;

	if (!c->seccomp.mode && process.trap == TRAP_DISPATCH)
		return;
	for (const struct filter_link *link = c->seccomp.chain; link; link = link->before) {
		size += saved_size(link);
		head.count++;
	}
	bytes = exec_state_add(writer, EXEC_FILTERS, NULL, size);
	if (!bytes)
		return;
	memcpy(bytes, &head, sizeof(head));
	/* The oldest comes first, but the newest is met first. */
	for (const struct filter_link *link = c->seccomp.chain; link; link = link->before) {
		const struct exec_filter one = { .len = link->len };

		size -= saved_size(link);
		memcpy(bytes + size, &one, sizeof(one));
		memcpy(bytes + size + sizeof(one), link->code, link->len * sizeof(link->code[0]));
	}
}

/* One of the filters at AT, of which SIZE bytes are left. NULL: it cannot be had. */
static struct filter_link *take_filter(const struct exec_filter *at, size_t size)
{
	struct filter_link *link;

	if (size < sizeof(*at) || at->len > (size - sizeof(*at)) / sizeof(link->code[0]))
		return NULL;
	link = link_new(at->len);
	if (!link)
		return NULL;
	memcpy(link->code, at + 1, at->len * sizeof(link->code[0]));
	return filter_is_valid(link->code, link->len) ? link : NULL;
}

static void take_filters(struct context *c, const struct exec_filters *filters, size_t size)
{
	const char *at = (const char *)(filters + 1), *end = (const char *)filters + size;

	for (uint32_t i = 0; i < filters->count; i++) {
		struct filter_link *link = take_filter((const struct exec_filter *)(const void *)at,
						       (size_t)(end - at));

		if (!link || !link_join(link, c->seccomp.chain)) {
			complain("no memory for the program's filters", NULL);
			give_up(STATUS_BROKEN);
		}
		at += saved_size(link);
		state_set(c, SECCOMP_MODE_FILTER, link_use(link));
	}
}

void seccomp_start(struct context *c, const void *state)
{
	size_t size = 0;
	const struct exec_filters *filters = exec_state_find(state, EXEC_FILTERS, sizeof(*filters), &size);

	if (process.trap == TRAP_FILTER_NEW) {
		process.outer_seccomp = (uint32_t)NATIVE(__NR_prctl, PR_GET_SECCOMP, 0, 0, 0, 0);
		c->seccomp.no_new_privs = NATIVE(__NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	}
	if (!filters)
		return;
	if (process.trap == TRAP_FILTER) {
		process.outer_seccomp = filters->outer;
		c->seccomp.no_new_privs = filters->no_new_privs;
	}
	take_filters(c, filters, size);
}
