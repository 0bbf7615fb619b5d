/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. All programs have the same socket, so a message says nothing of who has sent it but
 * what the kernel adds: the sender's process. It has to be one of the view. What the message itself says of
 * pid and tid is only used to find the slot, and to tell one request from another, within that process.
 *
 * A message is a foreign text: its length is held against its own fields, and what does not fit is answered
 * by -EINVAL where an answer can find its way, else dropped.
 */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "processes.h"

#define PER_TURN 64 /* messages, before the loop looks at signals again */

/* --- answers ---------------------------------------------------------------------------------------- */

/* The word is odd meanwhile: a reader who sees that, or another word before and after, asks again. */
static void answer(struct channel *ch, const struct channel_request *request, int64_t result)
{
	struct channel_slot *slot = &ch->slots[(uint32_t)request->tid % CHANNEL_SLOTS];
	uint32_t word = __atomic_load_n(&slot->word, __ATOMIC_RELAXED);

	__atomic_store_n(&slot->word, word + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&slot->pid, request->pid, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->tid, request->tid, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->sequence, request->sequence, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->result, result, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->word, word + 2, __ATOMIC_RELEASE);
	(void)syscall(SYS_futex, &slot->word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static int64_t *find_recent(struct channel *ch, pid_t pid, const struct channel_request *request)
{
	for (size_t i = 0; i < ARRAY_SIZE(ch->recent); i++)
		if (ch->recent[i].pid == pid && ch->recent[i].tid == request->tid &&
		    ch->recent[i].sequence == request->sequence)
			return &ch->recent[i].result;
	return NULL;
}

static void remember(struct channel *ch, pid_t pid, const struct channel_request *request, int64_t result)
{
	unsigned i = ch->next++ % CHANNEL_RECENT;

	ch->recent[i].pid = pid;
	ch->recent[i].tid = request->tid;
	ch->recent[i].sequence = request->sequence;
	ch->recent[i].result = result;
}

/* --- requests --------------------------------------------------------------------------------------- */

/* LEN: of the message. The text of a valid one gets its end. */
static bool is_valid(struct channel_request *request, size_t len)
{
	if (request->version != CHANNEL_VERSION || request->operation >= CHANNEL_OPERATIONS ||
	    request->len >= CHANNEL_DATA_MAX || request->len != len - offsetof(struct channel_request, data))
		return false;
	request->data[request->len] = '\0';
	return true;
}

static void serve(struct channel *ch, struct channel_request *request, size_t len, pid_t pid)
{
	const int64_t *known;
	int64_t result = -EINVAL;

	if (len < offsetof(struct channel_request, data))
		return;
	known = find_recent(ch, pid, request);
	if (request->operation == CHANNEL_CANCEL) {
		if (!known)
			remember(ch, pid, request, -ECANCELED);
		return;
	}
	if (known) {
		answer(ch, request, *known);
		return;
	}
	if (is_valid(request, len))
		result = ch->serve(ch->object, request->operation, request->data, request->len, pid);
	remember(ch, pid, request, result);
	answer(ch, request, result);
}

/* The process that has sent a message, as the kernel says; 0: it does not. Descriptors that came are closed. */
static pid_t sender_of(struct msghdr *msg)
{
	pid_t pid = 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		struct ucred ucred;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_CREDENTIALS ||
		    cmsg->cmsg_len != CMSG_LEN(sizeof(ucred)))
			continue;
		memcpy(&ucred, CMSG_DATA(cmsg), sizeof(ucred));
		pid = ucred.pid;
	}
	return pid;
}

bool channel_receive(struct channel *ch)
{
	struct channel_request request;
	/* No room for descriptors behind that: the kernel drops them. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { &request, sizeof(request) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(ch->ours, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	pid_t pid;

	if (n <= 0)
		return false;
	pid = sender_of(&msg);
	if (msg.msg_flags & MSG_TRUNC || pid <= 0 || !(pid == getpid() || process_is_below(pid, getpid())))
		log_debug("a request of process %d, which is not one of the view, is dropped", pid);
	else
		serve(ch, &request, (size_t)n, pid);
	return true;
}

static void channel_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct channel *ch = object;

	(void)loop;
	(void)fd;
	(void)events;
	for (unsigned count = 0; count < PER_TURN && channel_receive(ch); count++)
		continue;
}

int channel_watch(struct channel *ch, struct loop *loop)
{
	static const struct loop_class class = { "channel", channel_ready };

	return loop_add(loop, &class, ch->ours, EPOLLIN, ch, &ch->source);
}

int channel_init(struct channel *ch, struct channel_slot *slots, channel_server *server, void *object,
		 struct error *error)
{
	const int on = 1;
	int pair[2];

	*ch = (struct channel){ .ours = -1, .theirs = -1, .slots = slots, .serve = server, .object = object };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set_errno(error, errno, "cannot make the socket for requests");
	/* Not a standard one: those may be closed, and are the program's. */
	ch->ours = fcntl(pair[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	ch->theirs = pair[1];
	cleanup_close(&pair[0]);
	if (ch->ours >= 0 && setsockopt(ch->ours, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0)
		return 0;
	channel_free(ch);
	return error_set_errno(error, errno, "cannot make the socket for requests");
}

void channel_free(struct channel *ch)
{
	cleanup_close(&ch->ours);
	cleanup_close(&ch->theirs);
	ch->ours = ch->theirs = -1;
}
