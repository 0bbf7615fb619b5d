/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "vde/switch/takeover_message.h"
#include "wire/vde_ring.h"

/* Two ends of a connection with some patience. */
static void make_links(struct takeover_link links[2])
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		links[i] = (struct takeover_link){ fds[i], clock_now() + 5 * NS_PER_SEC };
}

static void close_links(const struct takeover_link links[2])
{
	(void)close(links[0].fd);
	(void)close(links[1].fd);
}

struct object {
	bool flag;
	uint16_t small;
	int32_t negative;
	uint64_t large;
};

static const struct takeover_field fields[] = {
	TAKEOVER_FIELD(struct object, flag), TAKEOVER_FIELD(struct object, small),
	TAKEOVER_FIELD(struct object, negative), TAKEOVER_FIELD(struct object, large),
};

static const struct object sample = { true, 0xfffe, -5, UINT64_MAX - 3 };

static void there_and_back(void **state)
{
	auto_takeover_message struct takeover_message m = { 0 }, got = { 0 };
	struct takeover_link links[2];
	struct object object = { 0 };
	struct cursor value;
	char *text;

	(void)state;
	make_links(links);
	takeover_begin(&m, TAKEOVER_PORT);
	takeover_put_number(&m, ITEM_NUMBER, 42);
	takeover_put_text(&m, ITEM_NAME, "a name");
	takeover_put_text(&m, ITEM_PATH, NULL); /* not said */
	takeover_put_text(&m, ITEM_DIR, "");
	takeover_put_fields(&m, ITEM_NUMBERS, &sample, fields, ARRAY_SIZE(fields));
	assert_int_equal(takeover_send(&links[0], &m), 0);
	assert_int_equal(takeover_receive(&links[1], &got), 0);
	assert_int_equal(got.kind, TAKEOVER_PORT);
	assert_int_equal(takeover_get_number(&got, ITEM_NUMBER), 42);
	assert_int_equal(takeover_get_number(&got, ITEM_FLAG), 0);
	text = takeover_get_text(&got, ITEM_NAME);
	assert_string_equal(text, "a name");
	free(text);
	assert_null(takeover_get_text(&got, ITEM_PATH));
	text = takeover_get_text(&got, ITEM_DIR);
	assert_string_equal(text, "");
	free(text);
	assert_false(takeover_get(&got, ITEM_FRAME, &value));
	assert_int_equal(takeover_get_fields(&got, ITEM_NUMBERS, &object, fields,
					     ARRAY_SIZE(fields)), 0);
	assert_true(object.flag && object.small == sample.small);
	assert_int_equal(object.negative, -5);
	assert_int_equal(object.large, sample.large);
	close_links(links);
}

/* Of an older process there are fewer numbers, of a newer one more. */
static void fields_of_other_versions(void **state)
{
	auto_takeover_message struct takeover_message m = { 0 };
	struct object object = { .large = 7 };

	(void)state;
	takeover_begin(&m, TAKEOVER_PORT);
	takeover_put_fields(&m, ITEM_NUMBERS, &sample, fields, 2);
	assert_int_equal(takeover_get_fields(&m, ITEM_NUMBERS, &object, fields, 4), 0);
	assert_int_equal(object.small, sample.small);
	assert_int_equal(object.large, 7);
	takeover_begin(&m, TAKEOVER_PORT);
	takeover_put_fields(&m, ITEM_NUMBERS, &sample, fields, 4);
	object = (struct object){ 0 };
	assert_int_equal(takeover_get_fields(&m, ITEM_NUMBERS, &object, fields, 2), 0);
	assert_int_equal(object.large, 0);
	assert_int_equal(takeover_get_fields(&m, ITEM_CLASS, &object, fields, 2), -EBADMSG);
}

static void numbers_that_do_not_fit(void **state)
{
	auto_takeover_message struct takeover_message m = { 0 };
	const uint64_t numbers[] = { 256, 1 };
	struct object object = { 0 };

	(void)state;
	takeover_begin(&m, TAKEOVER_PORT);
	takeover_put(&m, ITEM_NUMBERS, numbers, sizeof(numbers));
	assert_int_equal(takeover_get_fields(&m, ITEM_NUMBERS, &object, fields, 4), -EBADMSG);
	takeover_begin(&m, TAKEOVER_PORT);
	takeover_put(&m, ITEM_NUMBERS, &numbers[1], 5); /* not a whole number */
	assert_int_equal(takeover_get_fields(&m, ITEM_NUMBERS, &object, fields, 4), -EBADMSG);
}

static unsigned open_fds(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Descriptors are the receiver's, and closed with the message unless they were taken. */
static void descriptors(void **state)
{
	struct takeover_message m = { 0 }, got = { 0 };
	struct takeover_link links[2];
	int pipe_fds[2], fd;
	unsigned before;

	(void)state;
	make_links(links);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	before = open_fds();
	takeover_begin(&m, TAKEOVER_ENDPOINT);
	takeover_put_fd(&m, pipe_fds[0]);
	takeover_put_fd(&m, pipe_fds[1]);
	assert_int_equal(takeover_send(&links[0], &m), 0);
	takeover_message_done(&m);
	assert_int_equal(open_fds(), before); /* sending closes nothing */
	assert_int_equal(takeover_receive(&links[1], &got), 0);
	assert_int_equal(open_fds(), before + 2);
	(void)takeover_take_fd(&got); /* ours now */
	fd = got.fds[0];
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	takeover_message_done(&got);
	assert_int_equal(open_fds(), before + 1);
	assert_int_equal(takeover_take_fd(&got), -1);
	(void)close(fd);
	for (int i = 0; i < TAKEOVER_FDS_MAX + 1; i++)
		takeover_put_fd(&m, pipe_fds[0]);
	assert_int_equal(takeover_send(&links[0], &m), -EMSGSIZE);
	takeover_message_done(&m);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	close_links(links);
}

static void too_large(void **state)
{
	auto_takeover_message struct takeover_message m = { 0 }, got = { 0 };
	static const char large[TAKEOVER_MAX];
	struct takeover_link links[2];

	(void)state;
	make_links(links);
	takeover_begin(&m, TAKEOVER_QUEUE);
	takeover_put(&m, ITEM_FRAME, large, TAKEOVER_MAX - 100);
	assert_int_equal(takeover_send(&links[0], &m), 0);
	assert_int_equal(takeover_receive(&links[1], &got), 0);
	takeover_put(&m, ITEM_FRAME, large, 100);
	assert_int_equal(takeover_send(&links[0], &m), -EMSGSIZE);
	assert_int_equal(send(links[0].fd, large, sizeof(large), 0), sizeof(large));
	assert_int_equal(takeover_receive(&links[1], &got), -EBADMSG);
	close_links(links);
}

static void patience_and_ends(void **state)
{
	auto_takeover_message struct takeover_message m = { 0 };
	struct takeover_link links[2];
	uint64_t start = clock_now();
	int r = 0;

	(void)state;
	make_links(links);
	takeover_begin(&m, TAKEOVER_SCRIPT);
	takeover_put(&m, ITEM_TEXT, (char[1000]){ 0 }, 1000);
	links[0].deadline = clock_now() + 20 * NS_PER_MSEC;
	while (r == 0)
		r = takeover_send(&links[0], &m); /* nobody reads */
	assert_int_equal(r, -ETIMEDOUT);
	assert_true(clock_now() - start >= 20 * NS_PER_MSEC);
	links[0].deadline = clock_now() + 20 * NS_PER_MSEC;
	assert_int_equal(takeover_receive(&links[0], &m), -ETIMEDOUT);
	(void)shutdown(links[1].fd, SHUT_RDWR);
	assert_int_equal(takeover_receive(&links[0], &m), -EPIPE);
	assert_int_equal(takeover_send(&links[0], &m), -EPIPE);
	/* What had come before the end is there, also when the time is over. */
	links[1].deadline = 0;
	assert_int_equal(takeover_receive(&links[1], &m), 0);
	assert_int_equal(m.kind, TAKEOVER_SCRIPT);
	close_links(links);
}

static void refusals(void **state)
{
	auto_takeover_message struct takeover_message m = { 0 };
	auto_strbuf struct strbuf out = { 0 };
	struct vde_ring_message_parts parts = { .message = VDE_RING_REFUSAL, .error = EPERM };
	char *text;

	(void)state;
	(void)str_copy(parts.text, sizeof(parts.text), "not you");
	vde_ring_build(&parts, &out);
	takeover_begin(&m, 0);
	assert_int_equal(takeover_parse(out.data, out.len, &m), -EREMOTEIO);
	text = takeover_get_text(&m, ITEM_TEXT);
	assert_string_equal(text, "not you");
	free(text);
	parts.message = VDE_RING_WELCOME;
	parts.error = 0;
	strbuf_clear(&out);
	vde_ring_build(&parts, &out);
	takeover_begin(&m, 0);
	assert_int_equal(takeover_parse(out.data, out.len, &m), -EBADMSG);
}

/* Every cut and every changed byte of a message is refused or taken, never more. */
static void mangled(void **state)
{
	auto_takeover_message struct takeover_message m = { 0 };
	char data[512];
	struct takeover_link links[2];
	ssize_t len;
	uint64_t seed = 3;

	(void)state;
	make_links(links);
	takeover_begin(&m, TAKEOVER_PORT);
	takeover_put_text(&m, ITEM_NAME, "a name");
	takeover_put_fields(&m, ITEM_NUMBERS, &sample, fields, ARRAY_SIZE(fields));
	assert_int_equal(takeover_send(&links[0], &m), 0);
	len = recv(links[1].fd, data, sizeof(data), 0);
	assert_true(len > 0);
	takeover_begin(&m, 0);
	assert_int_equal(takeover_parse(data, (size_t)len, &m), 0);
	for (size_t cut = 0; cut < (size_t)len; cut++) {
		takeover_begin(&m, 0);
		assert_int_equal(takeover_parse(data, cut, &m), -EBADMSG);
	}
	data[8] ^= 3; /* the version */
	takeover_begin(&m, 0);
	assert_int_equal(takeover_parse(data, (size_t)len, &m), -EPROTONOSUPPORT);
	data[8] ^= 3;
	for (int turn = 0; turn < 20000; turn++) {
		char changed[sizeof(data)];
		struct object object;

		memcpy(changed, data, (size_t)len);
		for (int n = 0; n < 1 + turn % 3; n++)
			changed[test_random(&seed) % (size_t)len] = (char)test_random(&seed);
		takeover_begin(&m, 0);
		if (takeover_parse(changed, (size_t)len, &m) == 0) {
			(void)takeover_get_fields(&m, ITEM_NUMBERS, &object, fields, 4);
			free(takeover_get_text(&m, ITEM_NAME));
		}
	}
	close_links(links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(fields_of_other_versions),
		cmocka_unit_test(numbers_that_do_not_fit),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(too_large),
		cmocka_unit_test(patience_and_ends),
		cmocka_unit_test(refusals),
		cmocka_unit_test(mangled),
	};

	return RUN_TESTS(tests);
}
