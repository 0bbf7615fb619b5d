/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers behind rings: who is awake, when the descriptor is readable, when memory goes back. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "vde/plugins/plugin.h"
#include "vde/plugins/ring_end.h"

#define KEY_MORE 100
#define KEY_TRIM 101

/* One end with a set of its own: a program. */
struct side {
	struct ring_set set;
	struct ring_end end;
	int epoll, control;
};

/* Both, joined. */
struct bench {
	struct side server, client;
};

static void side_init(struct side *s, int control)
{
	*s = (struct side){ .set = RING_SET_NONE, .control = control };
	ring_end_init(&s->end);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	assert_true(s->epoll >= 0);
	assert_int_equal(ring_set_start(&s->set, s->epoll, KEY_MORE, KEY_TRIM), 0);
	assert_int_equal(ring_set_start(&s->set, s->epoll, KEY_MORE, KEY_TRIM), 0);
}

static void side_done(struct side *s)
{
	ring_end_done(&s->end);
	ring_set_done(&s->set);
	(void)close(s->epoll);
	if (s->control >= 0)
		(void)close(s->control);
}

static struct vde_ring_message_parts hello_of(uint32_t size)
{
	return (struct vde_ring_message_parts){ .message = VDE_RING_HELLO,
						.offered = VDE_RING_F_CSUM | VDE_RING_F_USO,
						.sizes = { size, size }, .max_frame = 2000 };
}

static void bench_init(struct bench *b)
{
	struct vde_ring_message_parts hello = hello_of(RING_MIN), got;
	struct error error = { 0 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	side_init(&b->server, fds[0]);
	side_init(&b->client, fds[1]);
	assert_int_equal(ring_port_ask(b->client.control, &hello), 0);
	assert_int_equal(ring_port_receive(b->server.control, &got, NULL), 0);
	assert_int_equal(ring_end_serve(&b->server.end, &b->server.control, &got,
					VDE_RING_F_CSUM | VDE_RING_F_TSO4, 7, &error), 0);
	assert_int_equal(b->server.control, -1); /* it is in the port */
	assert_int_equal(ring_port_answer(b->client.control, "test", &hello, &b->client.end.rp,
					  &error), 0);
	assert_int_equal(b->server.end.rp.peer_features, VDE_RING_F_CSUM);
	assert_int_equal(b->client.end.rp.port, 7);
	assert_int_equal(ring_end_attach(&b->server.end, &b->server.set, 1), 0);
	assert_int_equal(ring_end_attach(&b->client.end, &b->client.set, 1), 0);
	for (struct side *s = &b->server; s; s = s == &b->server ? &b->client : NULL) {
		ring_end_wake(&s->end);
		assert_true(ring_end_rest(&s->end));
		ring_set_settle(&s->set);
	}
}

static void bench_done(struct bench *b)
{
	side_done(&b->client);
	side_done(&b->server);
}

static bool readable(const struct side *s)
{
	struct pollfd p = { .fd = s->epoll, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static bool put(struct side *s, uint32_t len)
{
	static char frame[5000];
	struct iovec iov = { frame, len };

	return ring_end_put(&s->end, NULL, &iov, 1, len);
}

static unsigned fill(struct side *s, uint32_t len)
{
	unsigned count = 0;

	while (put(s, len))
		count++;
	return count;
}

/* All events, as an owner serves them. */
static void serve(struct side *s)
{
	struct epoll_event e;

	ring_set_begin(&s->set);
	for (int i = 0; i < 10 && epoll_wait(s->epoll, &e, 1, 0) == 1; i++) {
		if (e.data.u64 == KEY_MORE)
			ring_set_more(&s->set);
		else if (e.data.u64 == KEY_TRIM)
			ring_set_trim(&s->set);
		else
			ring_end_bell(&s->end, e.events);
	}
}

/* Takes up to COUNT frames, as an owner does in one call. */
static unsigned take(struct side *s, unsigned count)
{
	struct vnet_header vnet;
	uint32_t len;
	unsigned n = 0;

	serve(s);
	while (n < count && ring_end_next(&s->end, &vnet, &len))
		n++;
	ring_end_release(&s->end, false);
	(void)ring_end_rest(&s->end);
	ring_set_settle(&s->set);
	return n;
}

static void test_wake_and_rest(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_false(readable(&b.server));
	assert_true(put(&b.client, 60));
	assert_false(readable(&b.server)); /* not published */
	ring_set_flush(&b.client.set);
	assert_true(readable(&b.server));
	assert_true(put(&b.client, 60));
	assert_true(put(&b.client, 60));
	ring_set_settle(&b.client.set);
	assert_int_equal(take(&b.server, 1), 1);
	assert_true(readable(&b.server)); /* its bell is not heard before it sleeps */
	assert_false(b.server.set.more_set);
	assert_int_equal(take(&b.server, 9), 2);
	assert_false(readable(&b.server));
	assert_false(b.server.end.awake);
	bench_done(&b);
}

/* Awake without a signal in its bell: the eventfd stands in. */
static void test_more(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	ring_end_wake(&b.server.end);
	ring_set_settle(&b.server.set);
	assert_true(readable(&b.server) && b.server.set.more_set);
	assert_int_equal(take(&b.server, 9), 0);
	assert_false(readable(&b.server));
	b.server.set.pending = true; /* the owner has something */
	ring_set_settle(&b.server.set);
	assert_true(readable(&b.server));
	b.server.set.pending = false;
	serve(&b.server);
	ring_set_settle(&b.server.set);
	assert_false(readable(&b.server));
	bench_done(&b);
}

/* Left alone until it is woken. */
static void test_leave(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_true(put(&b.client, 60));
	ring_set_flush(&b.client.set);
	serve(&b.server);
	ring_end_leave(&b.server.end);
	ring_set_settle(&b.server.set);
	assert_false(readable(&b.server));
	ring_end_wake(&b.server.end);
	assert_int_equal(take(&b.server, 9), 1);
	bench_done(&b);
}

static void test_room(void **state)
{
	struct bench b;
	unsigned count;

	(void)state;
	bench_init(&b);
	count = fill(&b.client, 1500);
	assert_in_range(count, 20, 45);
	ring_end_want_room(&b.client.end, 1500);
	ring_set_settle(&b.client.set);
	assert_false(readable(&b.client));
	assert_int_equal(take(&b.server, count), count);
	assert_true(readable(&b.client));
	serve(&b.client);
	(void)ring_end_rest(&b.client.end);
	ring_set_settle(&b.client.set);
	assert_true(readable(&b.client)); /* told again, for who looks a second time */
	assert_int_equal(take(&b.client, 9), 0);
	assert_false(readable(&b.client));
	assert_true(put(&b.client, 1500));
	/* There is room by now: told at once. */
	ring_end_want_room(&b.client.end, 1500);
	ring_set_settle(&b.client.set);
	assert_true(readable(&b.client));
	bench_done(&b);
}

/* Who waits is woken by a program that takes a little. */
static void test_release(void **state)
{
	struct bench b;
	unsigned count;

	(void)state;
	bench_init(&b);
	count = fill(&b.client, 1500);
	ring_set_settle(&b.client.set);
	assert_int_equal(take(&b.server, 3), 3);
	assert_false(put(&b.client, 1500)); /* not worth it */
	ring_end_want_room(&b.client.end, 1500);
	assert_int_equal(take(&b.server, 1), 1);
	assert_true(put(&b.client, 1500));
	assert_int_equal(fill(&b.client, 1500), 3);
	ring_set_settle(&b.client.set);
	assert_int_equal(take(&b.server, 100), count);
	bench_done(&b);
}

static int send_one(struct side *s, uint32_t len, pthread_mutex_t *lock)
{
	static char frame[100];
	struct iovec iov = { frame, len };

	return ring_end_send(&s->end, NULL, &iov, 1, len, s->epoll, lock);
}

static void test_patience(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct bench b;
	uint64_t start;

	(void)state;
	bench_init(&b);
	(void)pthread_mutex_lock(&lock);
	(void)fill(&b.client, 1500);
	(void)fill(&b.client, 60);
	start = clock_now();
	assert_int_equal(send_one(&b.client, 60, &lock), 0); /* dropped */
	assert_true(clock_now() - start >= PLUGIN_WAIT_MS * NS_PER_MSEC);
	assert_true(b.client.end.stalled);
	start = clock_now();
	for (int i = 0; i < 100; i++)
		assert_int_equal(send_one(&b.client, 60, &lock), 0);
	assert_true(clock_now() - start < PLUGIN_WAIT_MS * NS_PER_MSEC);
	assert_int_equal(fcntl(b.client.epoll, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(send_one(&b.client, 60, &lock), -EAGAIN);
	ring_set_settle(&b.client.set);
	(void)take(&b.server, 1000);
	assert_int_equal(send_one(&b.client, 60, &lock), 0);
	assert_false(b.client.end.stalled);
	ring_set_settle(&b.client.set);
	assert_int_equal(take(&b.server, 9), 1);
	(void)pthread_mutex_unlock(&lock);
	bench_done(&b);
}

/* Ends while somebody else waits for it: the waiting thread does not touch it again. */
struct waiting {
	struct side *side;
	pthread_mutex_t *lock;
};

static void *end_it(void *context)
{
	struct waiting *w = context;

	(void)pthread_mutex_lock(w->lock); /* free only while the other waits */
	ring_end_done(&w->side->end);
	(void)pthread_mutex_unlock(w->lock);
	return NULL;
}

static void test_end_while_waiting(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct bench b;
	struct waiting w = { &b.client, &lock };
	pthread_t thread;

	(void)state;
	bench_init(&b);
	(void)pthread_mutex_lock(&lock);
	(void)fill(&b.client, 1500);
	(void)fill(&b.client, 60);
	assert_int_equal(pthread_create(&thread, NULL, end_it, &w), 0);
	assert_int_equal(send_one(&b.client, 60, &lock), -EPIPE);
	(void)pthread_mutex_unlock(&lock);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_null(b.client.set.members);
	bench_done(&b);
}

static void test_refused(void **state)
{
	static const struct {
		uint64_t required;
		uint32_t size;
		uint16_t kind;
		enum vde_ring_message message;
		int code;
	} rows[] = {
		{ VDE_RING_F_TSO4, 0, 0, VDE_RING_HELLO, EPROTONOSUPPORT }, /* known, not offered */
		{ VDE_RING_F_USO, 0, 0, VDE_RING_HELLO, EPROTONOSUPPORT },
		{ 0, 12345, 0, VDE_RING_HELLO, EINVAL },
		{ 0, 0, VDE_RING_KIND_DEVICE, VDE_RING_HELLO, EPROTONOSUPPORT },
		{ 0, 0, 0, VDE_RING_WELCOME, EPROTO },
	};
	struct ring_end end;
	int control = -1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vde_ring_message_parts hello = hello_of(rows[i].size);
		struct error error = { 0 };

		hello.required = rows[i].required;
		hello.kind = rows[i].kind;
		hello.message = rows[i].message;
		ring_end_init(&end);
		assert_int_equal(ring_end_serve(&end, &control, &hello,
						VDE_RING_F_CSUM | VDE_RING_F_TSO4, 1, &error),
				 -rows[i].code);
		assert_true(error_text(&error)[0]);
	}
}

/* A wish above the default is not granted. */
static void test_sizes(void **state)
{
	struct vde_ring_message_parts hello = hello_of(RING_MAX);
	struct error error = { 0 };
	struct ring_end end;
	int fds[2];

	(void)state;
	ring_end_init(&end);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(ring_end_serve(&end, &fds[0], &hello, 0, 1, &error), 0);
	assert_int_equal(end.rp.in.size, VDE_RING_DEFAULT_SIZE);
	assert_int_equal(end.rp.max_frame, 2000);
	ring_end_done(&end);
	(void)close(fds[1]);
}

static void test_records(void **state)
{
	struct vde_ring_notice notice = { .kind = VDE_RING_NOTICE_FEATURES,
					  .value = UINT64_MAX };
	struct ring_producer *out;
	struct vnet_header vnet;
	struct bench b;
	uint32_t len;

	(void)state;
	bench_init(&b);
	out = &b.client.end.rp.out;
	memset(ring_reserve(out, 29), 0, 29); /* a frame of 13 bytes */
	ring_commit(out, 29, RING_FRAME);
	memcpy(ring_reserve(out, 15), &notice, 15);
	ring_commit(out, 15, RING_NOTICE);
	memset(ring_reserve(out, 100), 0, 100);
	ring_commit(out, 100, (enum ring_type)9);
	assert_true(put(&b.client, 60));
	ring_set_flush(&b.client.set);
	assert_non_null(ring_end_next(&b.server.end, &vnet, &len));
	assert_int_equal(len, 60);
	assert_int_equal(b.server.end.rp.peer_features, VDE_RING_F_CSUM);
	memcpy(ring_reserve(out, sizeof(notice)), &notice, sizeof(notice));
	ring_commit(out, sizeof(notice), RING_NOTICE);
	(void)ring_publish(out);
	assert_null(ring_end_next(&b.server.end, &vnet, &len));
	assert_int_equal(b.server.end.rp.peer_features, VDE_RING_F_ALL);
	assert_true(ring_end_too_long(&b.server.end, RING_MIN / 2));
	assert_false(ring_end_too_long(&b.server.end, RING_MIN / 2 - 24));
	bench_done(&b);
}

/* Pages of the ring's data that exist. */
static unsigned resident(const struct side *s)
{
	unsigned char pages[RING_MIN / 4096];
	unsigned count = 0;

	assert_int_equal(mincore(s->end.rp.in.data, RING_MIN, pages), 0);
	for (size_t i = 0; i < sizeof(pages); i++)
		count += pages[i] & 1;
	return count;
}

static void test_trim(void **state)
{
	struct bench b;

	(void)state;
	if (sysconf(_SC_PAGESIZE) != 4096)
		skip();
	bench_init(&b);
	for (int i = 0; i < 40; i++) { /* twice around */
		while (take(&b.server, 100))
			continue;
		assert_true(put(&b.client, 1500) && put(&b.client, 1500));
		ring_set_settle(&b.client.set);
	}
	assert_int_equal(take(&b.server, 1), 1);
	assert_int_equal(resident(&b.server), RING_MIN / 4096);
	assert_true(b.server.set.timer_set && !b.client.set.timer_set);
	ring_set_trim(&b.server.set); /* it was in use since */
	assert_int_equal(take(&b.server, 9), 1);
	ring_set_trim(&b.server.set);
	ring_set_trim(&b.server.set);
	assert_int_equal(resident(&b.server), 0);
	assert_null(b.server.set.used);
	assert_true(put(&b.client, 60)); /* it goes on */
	ring_set_settle(&b.client.set);
	assert_int_equal(take(&b.server, 9), 1);
	bench_done(&b);
}

/* A peer that does not take what it gets is not looked at for ever. */
static void test_trim_gives_up(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	for (int i = 0; i < 3; i++) {
		(void)fill(&b.server, 1500);
		ring_set_settle(&b.server.set);
		if (i < 2)
			(void)take(&b.client, 1000);
	}
	assert_non_null(b.server.set.used);
	for (int i = 0; i < 10 && b.server.set.used; i++)
		ring_set_trim(&b.server.set);
	assert_null(b.server.set.used);
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wake_and_rest), cmocka_unit_test(test_more),
		cmocka_unit_test(test_leave),         cmocka_unit_test(test_room),
		cmocka_unit_test(test_release),       cmocka_unit_test(test_patience),
		cmocka_unit_test(test_end_while_waiting), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sizes),         cmocka_unit_test(test_records),
		cmocka_unit_test(test_trim),          cmocka_unit_test(test_trim_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
