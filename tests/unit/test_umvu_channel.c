/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "vuos/umvu/channel.h"

struct served {
	unsigned count;
	uint32_t operation;
	char text[CHANNEL_DATA_MAX];
	pid_t pid;
};

static int64_t serve(void *object, uint32_t operation, const char *text, size_t len, pid_t pid)
{
	struct served *served = object;

	served->count++;
	served->operation = operation;
	served->pid = pid;
	assert_int_equal(text[len], '\0');
	memcpy(served->text, text, len + 1);
	return 40 + served->count;
}

struct rig {
	struct channel_slot slots[CHANNEL_SLOTS];
	struct served served;
	struct channel channel;
};

static void rig_init(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	assert_int_equal(channel_init(&rig->channel, rig->slots, serve, &rig->served, NULL), 0);
}

static struct channel_request request_of(uint64_t sequence, const char *text)
{
	struct channel_request request = { .version = CHANNEL_VERSION, .operation = CHANNEL_SET_NAME, .pid = 7,
					   .tid = 1000, .sequence = sequence, .len = (uint32_t)strlen(text) };

	memcpy(request.data, text, strlen(text));
	return request;
}

static void send_bytes(struct rig *rig, const void *data, size_t len)
{
	assert_int_equal(send(rig->channel.theirs, data, len, MSG_DONTWAIT), len);
}

static void send_request(struct rig *rig, const struct channel_request *request)
{
	send_bytes(rig, request, offsetof(struct channel_request, data) + request->len);
}

static const struct channel_slot *slot_of(const struct rig *rig, const struct channel_request *request)
{
	return &rig->slots[request->tid % CHANNEL_SLOTS];
}

static void test_answer(void **state)
{
	struct channel_request request = request_of(9, "a name");
	const struct channel_slot *slot;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	slot = slot_of(&rig, &request);
	assert_false(channel_receive(&rig.channel));
	send_request(&rig, &request);
	assert_true(channel_receive(&rig.channel));
	assert_false(channel_receive(&rig.channel));
	assert_string_equal(rig.served.text, "a name");
	assert_int_equal(rig.served.operation, CHANNEL_SET_NAME);
	assert_int_equal(rig.served.pid, getpid());
	assert_int_equal(slot->word, 2);
	assert_int_equal(slot->result, 41);
	assert_int_equal(slot->sequence, 9);
	assert_int_equal(slot->pid, 7);
	assert_int_equal(slot->tid, 1000);
	channel_free(&rig.channel);
}

/* What is asked again is answered again, and not done again, even with others in between. */
static void test_once(void **state)
{
	struct channel_request first = request_of(1, "one");
	struct rig rig;

	(void)state;
	rig_init(&rig);
	for (uint64_t i = 1; i <= CHANNEL_RECENT; i++) {
		struct channel_request request = request_of(i, "one");

		send_request(&rig, &request);
		assert_true(channel_receive(&rig.channel));
	}
	send_request(&rig, &first);
	assert_true(channel_receive(&rig.channel));
	assert_int_equal(rig.served.count, CHANNEL_RECENT);
	assert_int_equal(slot_of(&rig, &first)->result, 41);
	assert_int_equal(slot_of(&rig, &first)->word, 2 * CHANNEL_RECENT + 2);
	first.tid++; /* another thread's */
	send_request(&rig, &first);
	assert_true(channel_receive(&rig.channel));
	assert_int_equal(rig.served.count, CHANNEL_RECENT + 1);
	channel_free(&rig.channel);
}

static void test_cancel(void **state)
{
	struct channel_request request = request_of(5, "no"), cancel = request_of(5, "");
	struct rig rig;

	(void)state;
	rig_init(&rig);
	cancel.operation = CHANNEL_CANCEL;
	send_request(&rig, &cancel);
	send_request(&rig, &request);
	assert_true(channel_receive(&rig.channel) && channel_receive(&rig.channel));
	assert_int_equal(rig.served.count, 0);
	assert_int_equal(slot_of(&rig, &request)->result, -ECANCELED);
	channel_free(&rig.channel);
}

/* Messages that are none: dropped, or refused; what comes after is served. */
static void test_hostile(void **state)
{
	struct channel_request request = request_of(1, "name"), wrong;
	size_t len = offsetof(struct channel_request, data) + 4;
	uint64_t random = 1;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	for (size_t cut = 1; cut < len; cut++) {
		wrong = request;
		wrong.sequence = 100 + cut;
		send_bytes(&rig, &wrong, cut);
		assert_true(channel_receive(&rig.channel));
	}
	wrong = request;
	wrong.sequence = 200;
	wrong.version++;
	send_request(&rig, &wrong);
	assert_true(channel_receive(&rig.channel));
	assert_int_equal(slot_of(&rig, &request)->result, -EINVAL);
	for (int i = 0; i < 1000; i++) {
		for (size_t at = 0; at < sizeof(wrong); at++)
			((uint8_t *)&wrong)[at] = (uint8_t)test_random(&random);
		wrong.operation = CHANNEL_OPERATIONS + (uint32_t)i;
		send_bytes(&rig, &wrong, 1 + test_random(&random) % sizeof(wrong));
		assert_true(channel_receive(&rig.channel));
	}
	wrong = request_of(201, "");
	wrong.len = CHANNEL_DATA_MAX; /* no room for its end */
	send_bytes(&rig, &wrong, sizeof(wrong));
	assert_true(channel_receive(&rig.channel));
	assert_int_equal(rig.served.count, 0);
	send_request(&rig, &request);
	assert_true(channel_receive(&rig.channel));
	assert_int_equal(rig.served.count, 1);
	channel_free(&rig.channel);
}

/* Descriptors that come along are not kept. */
static void test_descriptors(void **state)
{
	struct channel_request request = request_of(1, "name");
	struct iovec iov = { &request, offsetof(struct channel_request, data) + request.len };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int before, after, fd = STDIN_FILENO;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	*cmsg = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	before = dup(STDIN_FILENO);
	assert_int_equal(close(before), 0);
	assert_true(sendmsg(rig.channel.theirs, &msg, 0) > 0);
	assert_true(channel_receive(&rig.channel));
	after = dup(STDIN_FILENO);
	assert_int_equal(close(after), 0);
	assert_int_equal(before, after);
	channel_free(&rig.channel);
}

/* A process that is not below us is not served: here a child asks its parent's parent's... own child. */
static void test_strangers(void **state)
{
	struct channel_request request = request_of(1, "name");
	struct rig rig;
	int status;
	pid_t pid;

	(void)state;
	rig_init(&rig);
	pid = fork();
	if (pid == 0) {
		/* The parent's message, received by the child, of whom it is no descendant. */
		while (recv(rig.channel.ours, NULL, 0, MSG_PEEK) < 0)
			;
		_exit(channel_receive(&rig.channel) ? (int)rig.served.count : 99);
	}
	send_request(&rig, &request);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	pid = fork();
	if (pid == 0) {
		send_request(&rig, &request);
		_exit(waitpid(-1, NULL, 0) < 0 ? pause() : 0);
	}
	while (!channel_receive(&rig.channel))
		;
	assert_int_equal(rig.served.count, 1);
	assert_int_equal(rig.served.pid, pid);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	channel_free(&rig.channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),	    cmocka_unit_test(test_once),
		cmocka_unit_test(test_cancel),	    cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_strangers),
	};

	return RUN_TESTS(tests);
}
