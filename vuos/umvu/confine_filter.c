/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filter of a confinement: calls that are denied fail with EPERM, in the resident, too. So calls that
 * the resident makes for itself cannot be denied, unless it makes them for a program only.
 *
 * What Landlock does not see of the network is refused here: sockets of other families and kinds than were
 * asked for, and TCP that connects by sending (MSG_FASTOPEN). io_uring(7), which goes round filters, is
 * denied with any of it.
 */
#include "confine.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "options.h"
#include "vuos/umvu/own_calls.h"
#include "vuos/resident/calls.h"

#define FILTER_ROOM (BPF_MAXINSNS)
#define X32_BIT     0x40000000u
#define SOCK_KINDS  0xf /* of a type, without its flags */
#define FASTOPEN    0x20000000u

#define DENY  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define LOAD_ARG(n)  LOAD(offsetof(struct seccomp_data, args) + 8 * (n)) /* its lower half */
#define IF(test, value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_##test | BPF_K, (value), (then), (otherwise))

struct builder {
	struct sock_filter *code;
	size_t len;
};

static void add(struct builder *b, const struct sock_filter *code, size_t len)
{
	if (b->len + len > FILTER_ROOM)
		len = 0;
	memcpy(b->code + b->len, code, len * sizeof(*code));
	b->len += len;
}

#define ADD(b, ...)                                                                    \
	do {                                                                           \
		const struct sock_filter code_[] = { __VA_ARGS__ };                    \
		add((b), code_, ARRAY_SIZE(code_));                                    \
	} while (0)

/* --- what the resident needs --------------------------------------------------------------------- */

/* These it makes where a program has made them, and bears that they fail. */
static const char *const for_programs[] = { "capget", "kill", "personality", "poll", "sched_yield", "seccomp",
					    "shmctl", "tgkill", "unshare" };

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	size_t i = 0;

	while (i < count && !str_equal(name, names[i]))
		i++;
	return i < count;
}

static bool is_needed(const char *name, const struct settings *s)
{
	if (str_equal(name, "seccomp") && s->trap == TRAP_FILTER_NEW)
		return true;
	return is_one_of(name, own_calls, ARRAY_SIZE(own_calls)) &&
	       !is_one_of(name, for_programs, ARRAY_SIZE(for_programs));
}

static int check_denied(const struct settings *s, struct error *error)
{
	char names[256] = "";
	size_t len = 0;

	for (unsigned number = 0; number < CALL_COUNT; number++) {
		const struct call_row *row = call_row(number);

		if (!row || !call_set_has(&s->confine.deny, number) || !is_needed(call_name(row), s))
			continue;
		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, " %s", call_name(row));
	}
	if (!len)
		return 0;
	return error_set(error, EINVAL, "umvu cannot do without calls that are to be denied:%s", names);
}

/* --- the filter ------------------------------------------------------------------------------------ */

static void deny_sets(struct builder *b, const struct call_set *deny)
{
	unsigned number = 0;

	while (number < CALL_COUNT) {
		unsigned first = number;

		while (number < CALL_COUNT && call_set_has(deny, number))
			number++;
		if (number == first + 1)
			ADD(b, IF(JEQ, first, 0, 1), DENY);
		else if (number > first)
			ADD(b, IF(JGE, first, 0, 2), IF(JGT, number - 1, 1, 0), DENY);
		else
			number++;
	}
}

/* Sockets of the machine itself, and what was asked for of TCP and UDP. */
static void deny_sockets(struct builder *b, const struct confine_settings *s)
{
	enum { LENGTH = 18, FAMILY_IP = 6, TCP = 10, UDP = 13, NO = 16, YES = 17 }; /* places in the block */
#define TO(from, place) ((place) - (from) - 1)

	ADD(b, IF(JEQ, SYS_socket, 0, LENGTH - 1), LOAD_ARG(0),
	    IF(JEQ, AF_UNIX, TO(2, YES), 0), IF(JEQ, AF_NETLINK, TO(3, YES), 0),
	    IF(JEQ, AF_INET, TO(4, FAMILY_IP), 0), IF(JEQ, AF_INET6, TO(5, FAMILY_IP), TO(5, NO)),
	    LOAD_ARG(1), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SOCK_KINDS),
	    IF(JEQ, SOCK_DGRAM, s->datagrams ? TO(8, UDP) : TO(8, NO), 0),
	    IF(JEQ, SOCK_STREAM, s->num_ports ? TO(9, TCP) : TO(9, NO), TO(9, NO)),
	    LOAD_ARG(2), IF(JEQ, 0, TO(11, YES), 0), IF(JEQ, IPPROTO_TCP, TO(12, YES), TO(12, NO)),
	    LOAD_ARG(2), IF(JEQ, 0, TO(14, YES), 0), IF(JEQ, IPPROTO_UDP, TO(15, YES), TO(15, NO)),
	    DENY, ALLOW);
#undef TO
}

static void deny_fast_open(struct builder *b)
{
	static const struct {
		unsigned number, argument;
	} calls[] = { { SYS_sendto, 3 }, { SYS_sendmsg, 2 }, { SYS_sendmmsg, 3 } };

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		ADD(b, IF(JEQ, calls[i].number, 0, 4), LOAD_ARG(calls[i].argument), IF(JSET, FASTOPEN, 0, 1),
		    DENY, ALLOW);
}

static void build(struct builder *b, const struct confine_settings *s)
{
	ADD(b, LOAD(offsetof(struct seccomp_data, arch)), IF(JEQ, AUDIT_ARCH_X86_64, 1, 0),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS), LOAD(offsetof(struct seccomp_data, nr)),
	    IF(JGE, X32_BIT, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	    IF(JGE, SYS_io_uring_setup, 0, 2), IF(JGT, SYS_io_uring_register, 1, 0), DENY);
	if (s->denies)
		deny_sets(b, &s->deny);
	if (s->network) {
		deny_sockets(b, s);
		deny_fast_open(b);
	}
	ADD(b, ALLOW);
}

int confine_filter(struct confinement *c, const struct settings *s, struct error *error)
{
	struct builder b = { 0 };
	int r = check_denied(s, error);

	if (r < 0 || (!s->confine.denies && !s->confine.network))
		return r;
	b.code = calloc(FILTER_ROOM, sizeof(*b.code));
	if (!b.code)
		return error_set_errno(error, ENOMEM, "the filter of the confinement");
	build(&b, &s->confine);
	c->filter = b.code;
	c->filter_len = b.len;
	return 0;
}
