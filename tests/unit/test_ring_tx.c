/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ring_peer.h"

#define SIZE (1u << 17)

static int setup(void **state)
{
	*state = ring_peer_new(VDE_RING_F_ALL, SIZE);
	return 0;
}

static int teardown(void **state)
{
	ring_peer_free(*state);
	return 0;
}

/* The server takes the frame NUMBER. */
static void expect(struct ring_peer *peer, uint32_t number, size_t len)
{
	struct vde_ring_frame head;
	uint32_t got;
	const uint8_t *frame = ring_peer_take(peer, &head, &got);

	assert_non_null(frame);
	assert_int_equal(got, len);
	assert_true(is_numbered(frame, len, number));
	assert_int_equal(head.vnet.flags | head.vnet.gso_type, 0);
}

static void expect_nothing(struct ring_peer *peer)
{
	struct vde_ring_frame head;
	uint32_t len;

	assert_null(ring_peer_take(peer, &head, &len));
	assert_false(peer->server.in.broken);
}

static ssize_t send_number(struct ring_peer *peer, uint32_t number, size_t len)
{
	uint8_t frame[2048];

	return ring_tx_send(&peer->conn, frame, numbered(frame, number, len));
}

/* Fills the ring; returns how many frames it took. */
static uint32_t fill(struct ring_peer *peer)
{
	uint32_t n = 0;

	assert_int_equal(io_set_nonblock(peer->conn.port.bell_fd, true), 0);
	while (send_number(peer, n, 1000) == 1000)
		n++;
	return n;
}

/* --- vde_send ------------------------------------------------------------------------------- */

static void frames(void **state)
{
	struct ring_peer *peer = *state;

	assert_true(ring_sleep(&peer->server.in));
	assert_int_equal(send_number(peer, 1, 60), 60);
	assert_true(readable(peer->server.bell_fd)); /* it slept */
	ring_port_hear(&peer->server);
	assert_int_equal(send_number(peer, 2, 1514), 1514);
	assert_false(readable(peer->server.bell_fd)); /* awake */
	expect(peer, 1, 60);
	expect(peer, 2, 1514);
	expect_nothing(peer);
}

/* What this network does not carry counts as sent. */
static void sizes(void **state)
{
	static uint8_t big[VDE_FRAME_MAX + 1];
	struct ring_peer *peer = *state;
	struct vde_ring_frame head;
	uint32_t len;

	assert_int_equal(ring_tx_send(&peer->conn, big, 13), 13);
	assert_int_equal(ring_tx_send(&peer->conn, big, VDE_ETHBUFSIZE + 1), VDE_ETHBUFSIZE + 1);
	expect_nothing(peer);
	assert_int_equal(ring_tx_send(&peer->conn, big, VDE_ETHBUFSIZE), VDE_ETHBUFSIZE);
	assert_non_null(ring_peer_take(peer, &head, &len));
	assert_int_equal(len, VDE_ETHBUFSIZE);
	ring_peer_release(peer);
	(void)ring_conn_features(&peer->conn, VDE_FEATURE_CSUM);
	assert_int_equal(ring_tx_send(&peer->conn, big, VDE_ETHBUFSIZE + 1), VDE_ETHBUFSIZE + 1);
	assert_non_null(ring_peer_take(peer, &head, &len));
	assert_int_equal(len, VDE_ETHBUFSIZE + 1);
}

/* O_NONBLOCK: EAGAIN, and the descriptor tells when there is room. */
static void full(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);
	uint32_t n = fill(peer);

	assert_in_range(n, 10, SIZE / 1000);
	assert_int_equal(send_number(peer, n, 1000), -EAGAIN);
	assert_false(readable(fd));
	for (uint32_t i = 0; i < n; i++)
		expect(peer, i, 1000);
	ring_peer_release(peer);
	assert_true(readable(fd));
	assert_int_equal(send_number(peer, n, 1000), 1000);
	expect(peer, n, 1000);
	/* the receive that this leads to finds nothing, and takes the signal off */
	assert_int_equal(ring_rx_recv(&peer->conn, (uint8_t[64]){ 0 }, 64), -EAGAIN);
	assert_false(readable(fd));
	/* and what is sent now is told of, though signals are not counted any more */
	ring_peer_put_number(peer, 5, 60);
	ring_peer_publish(peer);
	assert_true(readable(fd));
	assert_int_equal(ring_rx_recv(&peer->conn, (uint8_t[64]){ 0 }, 64), 60);
	assert_false(readable(fd));
}

/* Receiving does not swallow the news of room that a sender waits for. */
static void full_and_receiving(void **state)
{
	struct ring_peer *peer = *state;
	uint32_t n = fill(peer);
	int fd = -1;

	for (uint32_t i = 0; i < n; i++)
		expect(peer, i, 1000);
	ring_peer_release(peer);
	fd = ring_rx_datafd(&peer->conn); /* asked for only now */
	assert_true(readable(fd));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ring_rx_recv(&peer->conn, (uint8_t[64]){ 0 }, 64), -EAGAIN);
		assert_true(readable(fd));
	}
	assert_int_equal(send_number(peer, n, 1000), 1000); /* it has tried again */
	expect(peer, n, 1000);
	assert_int_equal(ring_rx_recv(&peer->conn, (uint8_t[64]){ 0 }, 64), -EAGAIN);
	assert_false(readable(fd));
}

/* One that never tries again is not kept awake for ever. */
static void full_and_given_up(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn), times = 0;
	uint32_t n = fill(peer);

	for (uint32_t i = 0; i < n; i++)
		expect(peer, i, 1000);
	ring_peer_release(peer);
	while (readable(fd)) {
		assert_int_equal(ring_rx_recv(&peer->conn, (uint8_t[64]){ 0 }, 64), -EAGAIN);
		assert_true(++times < 100);
	}
}

static uint64_t milliseconds_of_send(struct ring_peer *peer)
{
	uint64_t begin = clock_now();

	assert_int_equal(send_number(peer, 7, 1000), 1000);
	return (clock_now() - begin) / NS_PER_MSEC;
}

/* Without it: waits once, drops, and does not wait again until a frame got through. */
static void patience(void **state)
{
	struct ring_peer *peer = *state;
	uint32_t n = fill(peer);
	uint64_t spent = 0;

	assert_int_equal(io_set_nonblock(peer->conn.port.bell_fd, false), 0);
	assert_true(milliseconds_of_send(peer) >= 50);
	for (int i = 0; i < 100; i++)
		spent += milliseconds_of_send(peer);
	assert_true(spent < 2500); /* a wait for each would take 5000 */
	assert_true(peer->conn.shared->tx.choked);
	for (uint32_t i = 0; i < n; i++)
		expect(peer, i, 1000);
	expect_nothing(peer);
	ring_peer_release(peer);
	(void)milliseconds_of_send(peer);
	expect(peer, 7, 1000);
	assert_false(peer->conn.shared->tx.choked);
}

static void *take_soon(void *object)
{
	struct ring_peer *peer = object;
	const struct timespec ts = { .tv_nsec = 5 * NS_PER_MSEC };
	struct vde_ring_frame head;
	uint32_t len;

	(void)nanosleep(&ts, NULL);
	while (ring_peer_take(peer, &head, &len))
		;
	ring_peer_release(peer);
	return NULL;
}

/* A sender that waits gets the room, without a signal that a receiver would take for a frame. */
static void room_in_time(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);
	pthread_t thread;

	(void)fill(peer);
	assert_int_equal(ring_rx_recv(&peer->conn, (uint8_t[64]){ 0 }, 64), -EAGAIN);
	atomic_store(&peer->server.in.shared->producer_waits, 0);
	assert_int_equal(io_set_nonblock(fd, false), 0);
	assert_int_equal(pthread_create(&thread, NULL, take_soon, peer), 0);
	assert_int_equal(send_number(peer, 7, 1000), 1000);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(peer->conn.shared->tx.choked);
	assert_false(readable(fd));
}

/* EPIPE and no signal. */
static void gone(void **state)
{
	struct ring_peer *peer = *state;
	struct vde_frame frame = { .data = (uint8_t[64]){ 0 }, .len = 64 };

	assert_true(ring_sleep(&peer->server.in));
	ring_port_done(&peer->server);
	assert_int_equal(send_number(peer, 1, 60), -EPIPE);
	assert_int_equal(send_number(peer, 1, 60), -EPIPE);
	assert_int_equal(ring_tx_batch(&peer->conn, &frame, 1), -EPIPE);
	assert_int_equal(ring_tx_get(&peer->conn, &frame, 1, 64), -EPIPE);
}

/* A switch that was not asleep when it died is missed when the ring is full. */
static void gone_later(void **state)
{
	struct ring_peer *peer = *state;
	ssize_t r;

	assert_int_equal(send_number(peer, 1, 60), 60);
	ring_port_done(&peer->server);
	do
		r = send_number(peer, 1, 1000);
	while (r == 1000);
	assert_int_equal(r, -EPIPE);
}

static void nonsense(void **state)
{
	struct ring_peer *peer = *state;

	atomic_store(&peer->server.in.shared->tail, 4);
	(void)fill(peer);
	assert_int_equal(send_number(peer, 1, 60), -EPIPE);
}

/* --- batches -------------------------------------------------------------------------------- */

static void batch(void **state)
{
	static uint8_t data[1000];
	struct ring_peer *peer = *state;
	struct vde_frame out[200];
	struct vde_ring_frame head;
	int fd = ring_rx_datafd(&peer->conn), n;
	uint32_t len, count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		out[i] = (struct vde_frame){ .data = data, .len = sizeof(data) };
	out[1].len = 3; /* dropped */
	out[2].vnet = (struct vde_vnet){ .flags = 0x83, .gso_type = VDE_VNET_GSO_TCPV4, .hdr_len = 54,
					 .gso_size = 500, .csum_start = 34, .csum_offset = 16 };
	out[3].vnet = (struct vde_vnet){ .flags = 2, .hdr_len = 9 }; /* nothing that means anything */
	n = ring_tx_batch(&peer->conn, out, ARRAY_SIZE(out));
	assert_in_range(n, 100, ARRAY_SIZE(out) - 1);
	assert_int_equal(ring_tx_batch(&peer->conn, out, 1), 0);
	assert_false(readable(fd));
	while (ring_peer_take(peer, &head, &len)) {
		struct vnet_header wanted = { 0 };

		if (count == 1)
			wanted = (struct vnet_header){ VNET_NEEDS_CSUM, VNET_GSO_TCPV4, 54, 500, 34, 16 };
		assert_memory_equal(&head.vnet, &wanted, sizeof(wanted));
		assert_int_equal(len, sizeof(data));
		count++;
	}
	assert_int_equal(count, n - 1);
	ring_peer_release(peer);
	assert_true(readable(fd)); /* there is room again */
	assert_int_equal(ring_tx_batch(&peer->conn, out, 0), 0);
}

/* --- without a copy ------------------------------------------------------------------------- */

/* Rooms of one size are filled with frames of any, with and without wrapping. */
static void rooms(void **state)
{
	struct ring_peer *peer = *state;
	struct vde_frame lent[40];
	uint64_t random = 5;
	uint32_t sent = 0, received = 0;

	for (int round = 0; round < 4000; round++) {
		size_t len = test_random(&random) % 4 ? 9000 : 1514;
		unsigned want = 1 + (unsigned)(test_random(&random) % 12), use;
		int n = ring_tx_get(&peer->conn, lent, want, len);

		assert_in_range(n, 1, want);
		use = (unsigned)(test_random(&random) % ((unsigned)n + 1));
		for (unsigned i = 0; i < use; i++) {
			assert_int_equal(lent[i].len, len);
			lent[i].len = test_random(&random) % 3 ? 18 + test_random(&random) % 1400 :
			       test_random(&random) % 2	       ? len :
								 18 + test_random(&random) % (len - 17);
			numbered(lent[i].data, sent + i, lent[i].len);
			/* what is behind a frame is its room, too */
			memset((uint8_t *)lent[i].data + lent[i].len, 0xee, len - lent[i].len);
		}
		assert_int_equal(ring_tx_commit(&peer->conn, lent, use), use);
		for (unsigned i = 0; i < use; i++)
			expect(peer, received++, lent[i].len);
		sent += use;
		expect_nothing(peer);
		ring_peer_release(peer);
	}
	assert_true(sent > 4000);
}

/* Small frames in large rooms do not keep the rooms. */
static void no_waste(void **state)
{
	struct ring_peer *peer = *state;
	struct vde_frame lent[8];
	int n = ring_tx_get(&peer->conn, lent, 8, 9000);

	assert_int_equal(n, 8);
	for (int i = 0; i < n; i++)
		lent[i].len = numbered(lent[i].data, (uint32_t)i, 60);
	assert_int_equal(ring_tx_commit(&peer->conn, lent, 8), 8);
	assert_int_equal(ring_used(&peer->conn.shared->tx.out), 8 * ring_record_size(16 + 60));
	for (uint32_t i = 0; i < 8; i++)
		expect(peer, i, 60);
}

/* Less room, none, and too much. */
static void rooms_of_a_full_ring(void **state)
{
	struct ring_peer *peer = *state;
	struct vde_frame lent[40];
	int fd = ring_rx_datafd(&peer->conn), n;
	struct vde_ring_frame head;
	uint32_t len;

	assert_int_equal(ring_tx_get(&peer->conn, lent, 1, SIZE), -EMSGSIZE);
	n = ring_tx_get(&peer->conn, lent, 40, 9000);
	assert_in_range(n, 10, SIZE / 9000);
	assert_int_equal(ring_tx_commit(&peer->conn, lent, (unsigned)n), n);
	assert_int_equal(ring_tx_get(&peer->conn, lent, 40, 9000), 0);
	assert_int_equal(ring_tx_commit(&peer->conn, lent, 0), -EINVAL);
	assert_false(readable(fd));
	while (ring_peer_take(peer, &head, &len))
		;
	ring_peer_release(peer);
	assert_true(readable(fd));
	assert_int_equal(ring_tx_get(&peer->conn, lent, 1, 9000), 1);
	assert_int_equal(ring_tx_commit(&peer->conn, lent, 2), -EINVAL); /* more than was lent */
	assert_int_equal(ring_tx_commit(&peer->conn, lent, 0), 0);
}

/* Between get and commit the same thread sends nothing else, and is told so. */
static void one_at_a_time(void **state)
{
	struct ring_peer *peer = *state;
	struct vde_frame lent, other;

	assert_int_equal(ring_tx_get(&peer->conn, &lent, 1, 100), 1);
	assert_int_equal(ring_tx_get(&peer->conn, &other, 1, 100), -EBUSY);
	assert_int_equal(send_number(peer, 1, 60), -EBUSY);
	lent.len = numbered(lent.data, 3, 100);
	assert_int_equal(ring_tx_commit(&peer->conn, &lent, 1), 1);
	assert_int_equal(ring_tx_commit(&peer->conn, &lent, 1), -EINVAL);
	expect(peer, 3, 100);
	expect_nothing(peer);
}

/* --- others --------------------------------------------------------------------------------- */

/* A child that ends between get and commit leaves the ring as it was; nor can it commit for its parent. */
static void dead_owner(void **state)
{
	struct ring_peer *peer = *state;
	struct vde_frame lent;
	pid_t child = fork();
	int status;

	if (child == 0) {
		(void)!ring_tx_get(&peer->conn, &lent, 1, 100);
		memset(lent.data, 0xff, 100);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(send_number(peer, 1, 60), 60);
	expect(peer, 1, 60);
	assert_int_equal(atomic_load(&peer->server.in.shared->busy), 0);
	child = fork();
	if (child == 0) { /* in the middle of a batch */
		(void)shared_lock_take(&peer->conn.shared->tx.lock);
		(void)!ring_reserve(&peer->conn.shared->tx.out, 100);
		ring_commit(&peer->conn.shared->tx.out, 100, RING_FRAME);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(send_number(peer, 2, 60), 60);
	expect(peer, 2, 60);
	expect_nothing(peer);
	assert_int_equal(ring_tx_get(&peer->conn, &lent, 1, 100), 1);
	child = fork();
	if (child == 0)
		_exit(ring_tx_commit(&peer->conn, &lent, 1) == -EINVAL ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	lent.len = numbered(lent.data, 2, 100);
	assert_int_equal(ring_tx_commit(&peer->conn, &lent, 1), 1);
	expect(peer, 2, 100);
	expect_nothing(peer);
}

#define SENDERS       3 /* threads of the parent, and as many of the child */
#define SENDER_FRAMES 5000u

struct sender {
	struct ring_peer *peer;
	uint32_t first;
};

static void *send_many(void *object)
{
	struct sender *s = object;

	for (uint32_t i = 0; i < SENDER_FRAMES; i++) {
		uint8_t frame[400];
		struct vde_frame one = { .data = frame, .len = 100 + i % 300 };
		ssize_t r = 0;

		numbered(frame, s->first + i, one.len);
		while (r == 0) {
			if (i % 3 == 0)
				r = ring_tx_batch(&s->peer->conn, &one, 1);
			else if (i % 3 == 1)
				r = ring_tx_get(&s->peer->conn, &one, 1, 400);
			else
				r = ring_tx_send(&s->peer->conn, frame, one.len);
			if (r == -EAGAIN)
				r = 0;
			if (r == 0)
				(void)sched_yield();
		}
		if (i % 3 == 1) {
			one.len = 100 + i % 300;
			memcpy(one.data, frame, one.len);
			r = ring_tx_commit(&s->peer->conn, &one, 1);
		}
		if (r < 0)
			return s;
	}
	return NULL;
}

static bool send_by_threads(struct ring_peer *peer, uint32_t first)
{
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];
	bool good = true;

	for (uint32_t i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ peer, first + i * SENDER_FRAMES };
		good = pthread_create(&threads[i], NULL, send_many, &senders[i]) == 0 && good;
	}
	for (uint32_t i = 0; i < SENDERS; i++) {
		void *result;

		good = pthread_join(threads[i], &result) == 0 && !result && good;
	}
	return good;
}

static void *send_in_background(void *object)
{
	return send_by_threads(object, 0) ? object : NULL;
}

/* Threads of two processes send: each frame comes, whole, those of one thread in order. */
static void crowd(void **state)
{
	struct ring_peer *peer = *state;
	uint32_t next[2 * SENDERS], received = 0;
	pthread_t thread;
	void *result;
	pid_t child;
	int status;

	for (uint32_t i = 0; i < 2 * SENDERS; i++)
		next[i] = i * SENDER_FRAMES;
	assert_int_equal(io_set_nonblock(ring_rx_datafd(&peer->conn), true), 0);
	child = fork();
	if (child == 0)
		_exit(send_by_threads(peer, SENDERS * SENDER_FRAMES) ? 0 : 1);
	assert_int_equal(pthread_create(&thread, NULL, send_in_background, peer), 0);
	while (received < 2 * SENDERS * SENDER_FRAMES) {
		struct vde_ring_frame head;
		uint32_t len, number;
		const uint8_t *frame = ring_peer_take(peer, &head, &len);

		if (!frame) {
			struct pollfd p = { .fd = peer->server.bell_fd, .events = POLLIN };

			ring_peer_release(peer);
			if (ring_sleep(&peer->server.in)) {
				assert_int_equal(poll(&p, 1, 10000), 1);
				ring_port_hear(&peer->server);
			}
			continue;
		}
		number = number_of(frame);
		assert_true(is_numbered(frame, len, number));
		assert_true(number < 2 * SENDERS * SENDER_FRAMES);
		assert_int_equal(number, next[number / SENDER_FRAMES]++);
		received++;
		if (received % 64 == 0)
			ring_peer_release(peer);
	}
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, peer);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(frames, setup, teardown),
		cmocka_unit_test_setup_teardown(sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(full, setup, teardown),
		cmocka_unit_test_setup_teardown(full_and_receiving, setup, teardown),
		cmocka_unit_test_setup_teardown(full_and_given_up, setup, teardown),
		cmocka_unit_test_setup_teardown(patience, setup, teardown),
		cmocka_unit_test_setup_teardown(room_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(gone, setup, teardown),
		cmocka_unit_test_setup_teardown(gone_later, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(batch, setup, teardown),
		cmocka_unit_test_setup_teardown(rooms, setup, teardown),
		cmocka_unit_test_setup_teardown(no_waste, setup, teardown),
		cmocka_unit_test_setup_teardown(rooms_of_a_full_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(dead_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(crowd, setup, teardown),
	};

	return RUN_TESTS(tests);
}
