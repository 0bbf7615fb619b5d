/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ring_peer.h"

#include <sys/mman.h>

#include "stream_frames.h"

#define SIZE (1u << 18)

/*
 * What the switch does between two steps of the receiver: publishes a frame, and rings if need be, just
 * before the receiver looks for the COUNTth time whether the ring is empty, or takes signals off the bell.
 */
static struct {
	struct ring_peer *peer;
	int at;
	int count;
} meddle;

enum {
	MEDDLE_NOT = 0,
	MEDDLE_LOOK,
	MEDDLE_TAKE,
};

static void meddle_now(int at)
{
	if (meddle.at != at || --meddle.count > 0)
		return;
	meddle.at = MEDDLE_NOT;
	ring_peer_put_number(meddle.peer, 99, 60);
	ring_peer_publish(meddle.peer);
}

bool __wrap_ring_consumer_empty(struct ring_consumer *c);
bool __real_ring_consumer_empty(struct ring_consumer *c);
ssize_t __wrap_preadv64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags);
ssize_t __real_preadv64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags);

bool __wrap_ring_consumer_empty(struct ring_consumer *c)
{
	meddle_now(MEDDLE_LOOK);
	return __real_ring_consumer_empty(c);
}

ssize_t __wrap_preadv64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
{
	meddle_now(MEDDLE_TAKE);
	return __real_preadv64v2(fd, iov, count, offset, flags);
}

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

/* One vde_recv() of the frame NUMBER. */
static void expect(struct ring_peer *peer, uint32_t number, size_t len)
{
	uint8_t buf[2048];

	assert_int_equal(ring_rx_recv(&peer->conn, buf, sizeof(buf)), len);
	assert_true(is_numbered(buf, len, number));
}

static void expect_nothing(struct ring_peer *peer)
{
	uint8_t buf[64];

	assert_int_equal(ring_rx_recv(&peer->conn, buf, sizeof(buf)), -EAGAIN);
}

/* --- the bell ------------------------------------------------------------------------------- */

/* Readable as long as there is a frame, and not when there is none. */
static void bell(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);

	assert_false(readable(fd));
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 3; i++)
			ring_peer_put_number(peer, i, 60);
		ring_peer_publish(peer);
		for (uint32_t i = 0; i < 3; i++) {
			assert_true(readable(fd));
			expect(peer, i, 60);
		}
		assert_false(readable(fd));
	}
	assert_int_equal(ring_rx_datafd(&peer->conn), fd);
}

/* Each frame with a signal of its own: the bell does not keep one too many. */
static void bell_each(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);

	for (uint32_t i = 0; i < 10; i++) {
		ring_peer_put_number(peer, i, 60);
		ring_peer_publish(peer);
	}
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(readable(fd));
		expect(peer, i, 60);
		ring_peer_put_number(peer, 100 + i, 60);
		ring_peer_publish(peer);
	}
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(readable(fd));
		expect(peer, 100 + i, 60);
	}
	assert_false(readable(fd));
}

/* What came before anybody had the descriptor is told of, too. */
static void bell_late(void **state)
{
	struct ring_peer *peer = *state;
	int fd;

	ring_peer_put_number(peer, 1, 60);
	ring_peer_put_number(peer, 2, 60);
	ring_peer_publish(peer);
	expect(peer, 1, 60); /* awake, and not asleep after that */
	fd = ring_rx_datafd(&peer->conn);
	assert_true(readable(fd));
	expect(peer, 2, 60);
	assert_false(readable(fd));
}

/* The same without /proc: the switch is asked for the signal. */
static void bell_asked_for(void **state)
{
	struct ring_peer *peer = *state;
	int fd;

	(void)close(peer->conn.echo_fd);
	peer->conn.echo_fd = -1;
	ring_peer_put_number(peer, 1, 60);
	ring_peer_put_number(peer, 2, 60);
	ring_peer_publish(peer);
	expect(peer, 1, 60);
	fd = ring_rx_datafd(&peer->conn);
	assert_false(readable(fd));
	assert_true(readable(peer->server.bell_fd));
	ring_port_hear(&peer->server);
	assert_true(ring_ring_again(&peer->server.out));
	(void)ring_port_ring(&peer->server);
	assert_true(readable(fd));
	expect(peer, 2, 60);
	assert_false(readable(fd));
}

static void *ring_late(void *object)
{
	const struct timespec ts = { .tv_nsec = 3 * NS_PER_MSEC };

	(void)nanosleep(&ts, NULL);
	(void)ring_port_ring(&((struct ring_peer *)object)->server);
	return NULL;
}

/* The frame is taken before its signal is there: that is waited for, so it is not left over. */
static void signal_on_its_way(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);
	pthread_t thread;

	ring_peer_put_number(peer, 1, 60);
	assert_true(ring_publish(&peer->server.out));
	assert_int_equal(pthread_create(&thread, NULL, ring_late, peer), 0);
	expect(peer, 1, 60);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(readable(fd));
}

/* One that never comes is not waited for twice, and later frames are told of all the same. */
static void signal_that_never_comes(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);

	ring_peer_put_number(peer, 1, 60);
	assert_true(ring_publish(&peer->server.out));
	expect(peer, 1, 60);
	assert_true(atomic_load(&peer->conn.shared->rx.loose));
	for (uint32_t i = 0; i < 5; i++) {
		ring_peer_put_number(peer, i, 60);
		ring_peer_publish(peer);
		assert_true(readable(fd));
		expect(peer, i, 60);
		assert_false(readable(fd));
	}
}

/* A signal for nothing is taken off by the receive that it leads to. */
static void signal_for_nothing(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);

	assert_int_equal(io_set_nonblock(fd, true), 0);
	expect_nothing(peer);
	(void)ring_port_ring(&peer->server);
	assert_true(readable(fd));
	expect_nothing(peer);
	assert_false(readable(fd));
	ring_peer_put_number(peer, 1, 60);
	ring_peer_publish(peer);
	assert_true(readable(fd));
	expect(peer, 1, 60);
	assert_false(readable(fd));
}

/* A frame comes at any step of falling asleep: it is told of, and nothing is left over after it. */
static void meddled_with(void **state)
{
	static const struct {
		int at, count;
	} steps[] = { { MEDDLE_LOOK, 1 }, { MEDDLE_LOOK, 2 }, { MEDDLE_TAKE, 1 } };
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);

	for (unsigned round = 0; round < 2 * ARRAY_SIZE(steps); round++) {
		ring_peer_put_number(peer, round, 60);
		ring_peer_publish(peer);
		meddle.peer = peer;
		meddle.at = steps[round % ARRAY_SIZE(steps)].at;
		meddle.count = steps[round % ARRAY_SIZE(steps)].count;
		expect(peer, round, 60);
		assert_int_equal(meddle.at, MEDDLE_NOT);
		assert_true(readable(fd));
		expect(peer, 99, 60);
		assert_false(readable(fd));
	}
	assert_false(atomic_load(&peer->conn.shared->rx.loose));
}

/* The same when signals cannot be counted, where one too many is allowed. */
static void meddled_with_loosely(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);

	assert_int_equal(io_set_nonblock(fd, true), 0);
	atomic_store(&peer->conn.shared->rx.loose, true);
	for (int count = 1; count < 3; count++)
		for (int at = MEDDLE_LOOK; at <= MEDDLE_TAKE; at++) {
			ring_peer_put_number(peer, 1, 60);
			ring_peer_publish(peer);
			meddle.peer = peer;
			meddle.at = at;
			meddle.count = count;
			expect(peer, 1, 60);
			meddle.at = MEDDLE_NOT;
			if (!__real_ring_consumer_empty(&peer->conn.shared->rx.in)) {
				assert_true(readable(fd));
				expect(peer, 99, 60);
			}
			expect_nothing(peer);
			assert_false(readable(fd));
		}
}

/* --- the end -------------------------------------------------------------------------------- */

/* What was there comes out first. The descriptor stays silent, as that of a datagram socket does. */
static void end(void **state)
{
	struct ring_peer *peer = *state;
	struct vde_frame frame = { 0 };
	uint8_t buf[64];
	int fd = ring_rx_datafd(&peer->conn);

	ring_peer_put_number(peer, 1, 60);
	ring_peer_publish(peer);
	assert_false(ring_conn_gone(&peer->conn));
	ring_port_done(&peer->server);
	assert_true(ring_conn_gone(&peer->conn));
	expect(peer, 1, 60);
	assert_false(readable(fd));
	assert_int_equal(ring_rx_recv(&peer->conn, buf, sizeof(buf)), 0);
	assert_int_equal(ring_rx_recv(&peer->conn, buf, sizeof(buf)), 0);
	assert_int_equal(ring_rx_get(&peer->conn, &frame, 1), -EPIPE);
	frame = (struct vde_frame){ .data = buf, .len = sizeof(buf) };
	assert_int_equal(ring_rx_batch(&peer->conn, &frame, 1), -EPIPE);
	assert_int_equal(ring_rx_batch(&peer->conn, &frame, 0), 0);
}

/* A switch that writes nonsense is as good as gone. */
static void nonsense(void **state)
{
	struct ring_peer *peer = *state;
	uint8_t buf[64];

	atomic_store(&peer->server.out.shared->head, 12345);
	assert_int_equal(ring_rx_recv(&peer->conn, buf, sizeof(buf)), 0);
	assert_int_equal(ring_rx_recv(&peer->conn, buf, sizeof(buf)), 0);
}

static void *receive_one(void *object)
{
	uint8_t buf[2048];

	return (void *)ring_rx_recv(&((struct ring_peer *)object)->conn, buf, sizeof(buf));
}

/* A receive that waits is woken by a frame, and by the end. */
static void waiting(void **state)
{
	struct ring_peer *peer = *state;
	pthread_t thread;
	void *result;

	for (int round = 0; round < 2; round++) {
		assert_int_equal(pthread_create(&thread, NULL, receive_one, peer), 0);
		while (!atomic_load(&peer->conn.shared->rx.sleepers))
			(void)sched_yield();
		if (round == 0) {
			ring_peer_put_number(peer, 1, 77);
			ring_peer_publish(peer);
		} else {
			ring_port_done(&peer->server);
		}
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_int_equal((intptr_t)result, round == 0 ? 77 : 0);
	}
}

/*
 * While one thread waits for the bell another one takes a frame that has not been rung for yet, and
 * will not be then: the next one has to be.
 */
static void one_waits_one_takes(void **state)
{
	struct ring_peer *peer = *state;
	struct ring_producer *p = &peer->server.out;
	uint64_t deadline = clock_now() + 10 * NS_PER_SEC;
	pthread_t thread;
	void *result;
	int r;

	assert_int_equal(pthread_create(&thread, NULL, receive_one, peer), 0);
	while (!atomic_load(&peer->conn.shared->rx.sleepers))
		(void)sched_yield();
	ring_peer_put_number(peer, 1, 60);
	p->published = p->head;
	atomic_store(&p->shared->head, p->head); /* and now it would look at the flag */
	expect(peer, 1, 60);
	ring_peer_put_number(peer, 2, 61);
	ring_peer_publish(peer);
	do
		r = pthread_tryjoin_np(thread, &result);
	while (r == EBUSY && clock_now() < deadline && sched_yield() == 0);
	assert_int_equal(r, 0);
	assert_int_equal((intptr_t)result, 61);
}

/* --- what is taken -------------------------------------------------------------------------- */

/* Frames that are too short or too long, notices, and types of the future are passed over. */
static void too_long(void **state)
{
	struct ring_peer *peer = *state;
	static uint8_t big[VDE_ETHBUFSIZE + 1];
	struct vde_frame frame = { .data = big, .len = sizeof(big) };
	uint8_t tiny[128] = { 0 };
	int fd = ring_rx_datafd(&peer->conn);

	assert_int_equal(io_set_nonblock(fd, true), 0);
	assert_true(ring_peer_put(peer, NULL, tiny, 13));
	assert_true(ring_peer_put(peer, NULL, big, sizeof(big)));
	for (uint16_t type = RING_NOTICE; type < 7; type++) {
		assert_non_null(ring_reserve(&peer->server.out, 40));
		ring_commit(&peer->server.out, 40, (enum ring_type)type);
	}
	assert_non_null(ring_reserve(&peer->server.out, 4));
	ring_commit(&peer->server.out, 4, RING_FRAME);
	ring_peer_publish(peer);
	assert_true(readable(fd)); /* nobody knows yet what they are */
	expect_nothing(peer);
	assert_false(readable(fd));
	ring_peer_put_number(peer, 1, 900); /* larger than the buffer */
	ring_peer_put_number(peer, 2, 100);
	ring_peer_publish(peer);
	assert_int_equal(ring_rx_recv(&peer->conn, tiny, sizeof(tiny)), 100);
	assert_int_equal(number_of(tiny), 2);
	/* who asks for features has room for more */
	(void)ring_conn_features(&peer->conn, VDE_FEATURE_CSUM);
	assert_true(ring_peer_put(peer, NULL, big, sizeof(big)));
	ring_peer_publish(peer);
	assert_int_equal(ring_rx_batch(&peer->conn, &frame, 1), 1);
	assert_int_equal(frame.len, sizeof(big));
}

/* Fills buffers, as many as there are frames; those of the others stay as they are. */
static void batch(void **state)
{
	struct ring_peer *peer = *state;
	uint8_t bufs[8][128];
	struct vde_frame frames[8];
	int fd = ring_rx_datafd(&peer->conn);

	for (uint32_t i = 0; i < 11; i++)
		ring_peer_put_number(peer, i, 60 + i);
	ring_peer_publish(peer);
	for (uint32_t done = 0; done < 11;) {
		int n;

		assert_true(readable(fd));
		for (unsigned i = 0; i < 8; i++)
			frames[i] = (struct vde_frame){ .data = bufs[i], .len = sizeof(bufs[i]),
							.flags = 7, .vnet.flags = 7 };
		n = ring_rx_batch(&peer->conn, frames, 8);
		assert_int_equal(n, MIN(11 - done, 8));
		for (int i = 0; i < n; i++, done++) {
			assert_int_equal(frames[i].len, 60 + done);
			assert_true(is_numbered(frames[i].data, frames[i].len, done));
			assert_int_equal(frames[i].flags | frames[i].vnet.flags, 0);
		}
		for (int i = n; i < 8; i++)
			assert_int_equal(frames[i].len, sizeof(bufs[i]));
	}
	assert_false(readable(fd));
	assert_int_equal(ring_rx_batch(&peer->conn, frames, 8), 0);
	assert_int_equal(frames[0].len, 68); /* its buffer, as it was given */
}

/* --- super-frames --------------------------------------------------------------------------- */

static const struct stream_spec spec_base = {
	.version = 4, .source_port = 1000, .seq = 7, .flags = TCP_ACK | TCP_PSH, .payload_len = 20000,
};

#define SEGMENT 1448u

static void put_super(struct ring_peer *peer, const struct stream_spec *spec)
{
	static uint8_t super[VNET_FRAME_MAX];
	struct vnet_header vnet;
	size_t len = build_super(super, spec, SEGMENT, &vnet);

	assert_true(ring_peer_put(peer, &vnet, super, len));
}

static void check_piece(const struct stream_spec *spec, size_t index, const void *data, size_t len)
{
	struct stream_spec piece = cut_spec(spec, SEGMENT, index);
	uint8_t wanted[2048];

	assert_int_equal(len, build_packet(wanted, &piece));
	assert_memory_equal(data, wanted, len);
}

static size_t pieces_of(const struct stream_spec *spec)
{
	return (spec->payload_len + SEGMENT - 1) / SEGMENT;
}

/* Those who did not ask get what a sender that cuts by itself would have sent. */
static void cut_for_recv(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);
	uint8_t buf[2048];

	for (unsigned shape = 0; shape < SPEC_SHAPES; shape++) {
		struct stream_spec spec = spec_base;

		spec_shape(&spec, shape);
		put_super(peer, &spec);
		ring_peer_put_number(peer, shape, 60);
		ring_peer_publish(peer);
		for (size_t i = 0; i < pieces_of(&spec); i++) {
			ssize_t n = ring_rx_recv(&peer->conn, buf, sizeof(buf));

			check_piece(&spec, i, buf, (size_t)n);
			assert_true(readable(fd));
		}
		expect(peer, shape, 60);
		assert_false(readable(fd));
	}
}

/* The last thing in the ring: the descriptor stays readable as long as there are pieces. */
static void cut_at_the_end(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);
	uint8_t buf[2048];

	put_super(peer, &spec_base);
	ring_peer_publish(peer);
	for (size_t i = 0; i < pieces_of(&spec_base); i++) {
		assert_true(readable(fd));
		check_piece(&spec_base, i, buf, (size_t)ring_rx_recv(&peer->conn, buf, sizeof(buf)));
	}
	assert_false(readable(fd));
	assert_true(ring_producer_empty(&peer->server.out));
}

/* Pieces that are lent have memory of their own, of which there is less. */
static void lent_pieces(void **state)
{
	struct ring_peer *peer = *state;
	struct vde_frame frames[64];
	size_t done = 0, pieces = pieces_of(&spec_base);
	int n;

	put_super(peer, &spec_base);
	ring_peer_put_number(peer, 9, 60);
	ring_peer_publish(peer);
	while (done < pieces) {
		n = ring_rx_get(&peer->conn, frames, 64);
		assert_int_equal(n, MIN(pieces - done + (pieces - done < RING_PIECES), RING_PIECES));
		assert_int_equal(ring_rx_get(&peer->conn, frames + n, 1), 0);
		for (int i = 0; i < n && done < pieces; i++)
			check_piece(&spec_base, done++, frames[i].data, frames[i].len);
		if (done == pieces)
			assert_true(is_numbered(frames[n - 1].data, 60, 9));
		ring_rx_put(&peer->conn, (unsigned)n);
	}
	assert_true(ring_producer_empty(&peer->server.out));
}

/* Those who asked get it whole, with its header; vde_recv(), which cannot tell, in pieces. */
static void whole(void **state)
{
	static const uint64_t all = VDE_FEATURE_CSUM | VDE_FEATURE_TSO4 | VDE_FEATURE_TSO6 |
				    VDE_FEATURE_USO;
	static uint8_t buf[VDE_FRAME_MAX], wanted[VNET_FRAME_MAX];
	struct ring_peer *peer = *state;
	struct vde_frame frame;
	size_t len = build_packet(wanted, &spec_base);

	assert_int_equal(ring_conn_features(&peer->conn, all), all | VDE_FEATURE_RING);
	for (int way = 0; way < 2; way++) {
		put_super(peer, &spec_base);
		ring_peer_publish(peer);
		frame = (struct vde_frame){ .data = buf, .len = sizeof(buf) };
		assert_int_equal(way ? ring_rx_get(&peer->conn, &frame, 1) :
				       ring_rx_batch(&peer->conn, &frame, 1), 1);
		assert_int_equal(frame.len, len);
		assert_int_equal(frame.vnet.gso_type, VDE_VNET_GSO_TCPV4);
		assert_int_equal(frame.vnet.flags, VDE_VNET_NEEDS_CSUM);
		assert_int_equal(frame.vnet.gso_size, SEGMENT);
		assert_int_equal(frame.vnet.hdr_len, 54);
		assert_int_equal(frame.vnet.csum_start, 34);
		assert_int_equal(frame.vnet.csum_offset, 16);
		assert_memory_equal((uint8_t *)frame.data + 54, wanted + 54, len - 54);
		if (way)
			ring_rx_put(&peer->conn, 1);
	}
	put_super(peer, &spec_base);
	ring_peer_publish(peer);
	check_piece(&spec_base, 0, buf, (size_t)ring_rx_recv(&peer->conn, buf, sizeof(buf)));
	/* taken back with some of it still in the ring */
	assert_int_equal(ring_conn_features(&peer->conn, 0), VDE_FEATURE_RING);
	put_super(peer, &spec_base);
	ring_peer_publish(peer);
	for (size_t i = 1; i < 2 * pieces_of(&spec_base); i++) {
		frame = (struct vde_frame){ .data = buf, .len = sizeof(buf) };
		assert_int_equal(ring_rx_batch(&peer->conn, &frame, 1), 1);
		check_piece(&spec_base, i % pieces_of(&spec_base), frame.data, frame.len);
		assert_int_equal(frame.vnet.gso_type | frame.vnet.flags, 0);
	}
}

/* One kind is asked for, another comes. */
static void some_kinds(void **state)
{
	struct ring_peer *peer = *state;
	struct stream_spec six = spec_base;
	static uint8_t buf[VDE_FRAME_MAX];
	struct vde_frame frame = { .data = buf, .len = sizeof(buf) };

	six.version = 6;
	(void)ring_conn_features(&peer->conn, VDE_FEATURE_CSUM | VDE_FEATURE_TSO4);
	put_super(peer, &six);
	put_super(peer, &spec_base);
	ring_peer_publish(peer);
	for (size_t i = 0; i < pieces_of(&six); i++) {
		frame.len = sizeof(buf);
		assert_int_equal(ring_rx_batch(&peer->conn, &frame, 1), 1);
		check_piece(&six, i, frame.data, frame.len);
	}
	frame.len = sizeof(buf);
	assert_int_equal(ring_rx_batch(&peer->conn, &frame, 1), 1);
	assert_int_equal(frame.vnet.gso_type, VDE_VNET_GSO_TCPV4);
}

/* --- lending -------------------------------------------------------------------------------- */

/* Bytes of room that the server sees. */
static uint32_t room(struct ring_peer *peer)
{
	(void)ring_producer_empty(&peer->server.out);
	return SIZE - ring_used(&peer->server.out);
}

/* Room comes back in order, however the frames are received and given back. */
static void lend(void **state)
{
	struct ring_peer *peer = *state;
	const uint32_t record = ring_record_size(16 + 600);
	struct vde_frame frames[4];

	for (uint32_t i = 0; i < 6; i++)
		ring_peer_put_number(peer, i, 600);
	ring_peer_publish(peer);
	assert_int_equal(ring_rx_get(&peer->conn, frames, 2), 2);
	assert_true(is_numbered(frames[0].data, frames[0].len, 0));
	assert_true(is_numbered(frames[1].data, frames[1].len, 1));
	expect(peer, 2, 600);
	assert_int_equal(ring_rx_get(&peer->conn, frames + 2, 2), 2);
	assert_true(is_numbered(frames[3].data, frames[3].len, 4));
	expect(peer, 5, 600);
	assert_int_equal(room(peer), SIZE - 6 * record);
	ring_rx_put(&peer->conn, 1);
	assert_int_equal(room(peer), SIZE - 5 * record);
	assert_true(is_numbered(frames[1].data, frames[1].len, 1));
	ring_rx_put(&peer->conn, 2); /* 1 and 3; with them 2, which was copied */
	assert_int_equal(room(peer), SIZE - 2 * record);
	ring_rx_put(&peer->conn, 100); /* there is only one */
	assert_int_equal(room(peer), SIZE);
}

/* Everything that can be lent is lent: a receive does not wait for what cannot come. */
static void lend_all(void **state)
{
	struct ring_peer *peer = *state;
	static struct vde_frame frames[RING_LENT_MAX + 1];

	for (uint32_t i = 0; i < RING_LENT_MAX + 3; i++)
		ring_peer_put_number(peer, i, 60);
	ring_peer_publish(peer);
	assert_int_equal(ring_rx_get(&peer->conn, frames, RING_LENT_MAX + 1), RING_LENT_MAX);
	expect_nothing(peer);
	assert_int_equal(ring_rx_get(&peer->conn, frames, 1), 0);
	assert_true(readable(ring_rx_datafd(&peer->conn)));
	ring_rx_put(&peer->conn, 1);
	expect(peer, RING_LENT_MAX, 60);
	expect_nothing(peer);
	ring_rx_put(&peer->conn, RING_LENT_MAX);
	expect(peer, RING_LENT_MAX + 1, 60);
	expect(peer, RING_LENT_MAX + 2, 60);
}

/* --- others --------------------------------------------------------------------------------- */

/* A process that dies with the lock does not take the connection along. */
static void dead_owner(void **state)
{
	struct ring_peer *peer = *state;
	pid_t child;

	ring_peer_put_number(peer, 1, 60);
	ring_peer_publish(peer);
	child = fork();
	if (child == 0) {
		(void)shared_lock_take(&peer->conn.shared->rx.lock);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	expect(peer, 1, 60);
}

struct crowd {
	struct ring_peer *peer;
	atomic_uint received;
	atomic_uint sum;
};

static void *crowd_receive(void *object)
{
	struct crowd *crowd = object;
	uint8_t buf[2048];

	for (;;) {
		ssize_t n = ring_rx_recv(&crowd->peer->conn, buf, sizeof(buf));

		if (n <= 0)
			return (void *)n;
		if (!is_numbered(buf, (size_t)n, number_of(buf)))
			return (void *)-1;
		atomic_fetch_add(&crowd->received, 1);
		atomic_fetch_add(&crowd->sum, number_of(buf));
	}
}

#define CROWD        3
#define CROWD_FRAMES 20000u

/* Several threads and a child wait for frames: each frame comes once, and nobody is forgotten. */
static void crowd(void **state)
{
	struct ring_peer *peer = *state;
	struct crowd *crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_t threads[CROWD];
	uint64_t random = 1;
	uint8_t frame[2048];
	pid_t child;
	int status;

	assert_true(crowd != MAP_FAILED);
	crowd->peer = peer;
	child = fork();
	if (child == 0) {
		ring_port_done(&peer->server);
		_exit(crowd_receive(crowd) == NULL ? 0 : 1);
	}
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_receive, crowd), 0);
	for (uint32_t i = 0; i < CROWD_FRAMES; i++) {
		numbered(frame, i, 60 + i % 1400);
		while (!ring_peer_put(peer, NULL, frame, 60 + i % 1400))
			(void)sched_yield();
		if (test_random(&random) % 4 == 0)
			ring_peer_publish(peer);
		if (test_random(&random) % 64 == 0)
			(void)sched_yield();
		ring_peer_publish(peer);
	}
	while (atomic_load(&crowd->received) < CROWD_FRAMES)
		(void)sched_yield(); /* a test that hangs here has lost a signal */
	ring_port_done(&peer->server);
	for (int i = 0; i < CROWD; i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(crowd->received, CROWD_FRAMES);
	assert_int_equal(crowd->sum, CROWD_FRAMES / 2 * (CROWD_FRAMES - 1));
	(void)munmap(crowd, sizeof(*crowd));
}

struct stream {
	struct ring_peer *peer;
	uint32_t sent;
	atomic_bool stop;
};

static void *stream_send(void *object)
{
	struct stream *s = object;
	uint64_t random = 99;
	uint8_t frame[2048];

	while (!atomic_load(&s->stop)) {
		unsigned burst = (unsigned)(test_random(&random) % 5 == 0 ? 1 + test_random(&random) % 40 : 1);

		for (unsigned i = 0; i < burst; i++) {
			size_t len = 60 + test_random(&random) % 1400;

			if (!ring_peer_put(s->peer, NULL, frame, numbered(frame, s->sent, len)))
				break;
			s->sent++;
			if (test_random(&random) % 2)
				ring_peer_publish(s->peer);
		}
		ring_peer_publish(s->peer);
		for (uint64_t i = test_random(&random) % 3000; i > 0; i--)
			__asm__ volatile("");
	}
	return NULL;
}

/*
 * As QEMU does it: one receive for each time that the descriptor is readable. There is always a frame
 * then (a descriptor that does not block shows when there is none), and in the end nothing is left.
 */
static void once_per_readiness(void **state)
{
	struct ring_peer *peer = *state;
	struct stream stream = { .peer = peer };
	struct pollfd p = { .fd = ring_rx_datafd(&peer->conn), .events = POLLIN };
	uint64_t deadline = clock_now() + NS_PER_SEC / 2;
	uint32_t received = 0;
	uint8_t buf[2048];
	pthread_t thread;

	assert_int_equal(io_set_nonblock(p.fd, true), 0);
	assert_int_equal(pthread_create(&thread, NULL, stream_send, &stream), 0);
	for (bool stopped = false;;) {
		int r = poll(&p, 1, stopped ? 0 : 100);

		if (r == 0 && stopped)
			break;
		if (r > 0) {
			ssize_t n = ring_rx_recv(&peer->conn, buf, sizeof(buf));

			assert_true(n >= 60);
			assert_true(is_numbered(buf, (size_t)n, received));
			received++;
		}
		if (!stopped && clock_now() >= deadline) {
			atomic_store(&stream.stop, true);
			assert_int_equal(pthread_join(thread, NULL), 0);
			stopped = true;
		}
	}
	assert_int_equal(received, stream.sent);
	assert_true(received > 100);
	assert_false(atomic_load(&peer->conn.shared->rx.loose));
}

struct rally {
	struct ring_peer *peer;
	atomic_uint received;
	uint32_t sent;
	atomic_bool stop;
};

static void idle(uint64_t rounds)
{
	for (; rounds > 0; rounds--)
		__asm__ volatile("");
}

/* Two frames, the second one at any moment while the first is received; and then waits for both. */
static void *rally_send(void *object)
{
	struct rally *rally = object;
	uint64_t random = 7;

	while (!atomic_load(&rally->stop)) {
		for (int i = 0; i < 2; i++) {
			ring_peer_put_number(rally->peer, rally->sent++, 60);
			ring_peer_publish(rally->peer);
			idle(test_random(&random) % 8192);
		}
		while (atomic_load(&rally->received) < rally->sent && !atomic_load(&rally->stop))
			(void)sched_yield();
	}
	return NULL;
}

/* A signal that is lost, or one too many, shows at once: nobody sends until both frames were taken. */
static void rally(void **state)
{
	struct ring_peer *peer = *state;
	struct rally r = { .peer = peer };
	struct pollfd p = { .fd = ring_rx_datafd(&peer->conn), .events = POLLIN };
	uint64_t deadline = clock_now() + NS_PER_SEC / 4;
	const char *fault = NULL;
	uint8_t buf[64];
	pthread_t thread;

	assert_int_equal(io_set_nonblock(p.fd, true), 0);
	assert_int_equal(pthread_create(&thread, NULL, rally_send, &r), 0);
	while (!fault && clock_now() < deadline) {
		/* spins, as sleeping would take longer than what is looked for */
		for (int spins = 0; !readable(p.fd) && !fault; spins++)
			if (spins > 1000 && poll(&p, 1, 5000) == 0)
				fault = "a signal was lost";
		if (!fault && ring_rx_recv(&peer->conn, buf, sizeof(buf)) != 60)
			fault = "a signal for nothing";
		atomic_fetch_add(&r.received, 1);
	}
	atomic_store(&r.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	if (fault)
		fail_msg("%s, after %u frames", fault, r.received);
}

static void *answer_soon(void *object)
{
	struct ring_peer *peer = object;
	const struct timespec ts = { .tv_nsec = NS_PER_MSEC };

	(void)nanosleep(&ts, NULL);
	ring_peer_put_number(peer, 5, 60);
	if (!ring_publish(&peer->server.out))
		return NULL;
	(void)ring_port_ring(&peer->server);
	return peer;
}

/* Spinning finds the frame without a signal, at least when nobody else wants the processor. */
static void busy_poll(void **state)
{
	struct ring_peer *peer = *state;
	int fd = ring_rx_datafd(&peer->conn);
	unsigned silent = 0;

	assert_int_equal(ring_rx_busy_poll(&peer->conn, 1000000), 0);
	for (int i = 0; i < 50; i++) {
		pthread_t thread;
		void *rung;

		assert_int_equal(pthread_create(&thread, NULL, answer_soon, peer), 0);
		expect(peer, 5, 60);
		assert_int_equal(pthread_join(thread, &rung), 0);
		assert_false(readable(fd));
		silent += !rung;
	}
	assert_int_equal(ring_rx_busy_poll(&peer->conn, 0), 0);
	if (!silent)
		skip(); /* a machine with one processor, or a busy one */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bell, setup, teardown),
		cmocka_unit_test_setup_teardown(bell_each, setup, teardown),
		cmocka_unit_test_setup_teardown(bell_late, setup, teardown),
		cmocka_unit_test_setup_teardown(bell_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(signal_on_its_way, setup, teardown),
		cmocka_unit_test_setup_teardown(signal_that_never_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(signal_for_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(meddled_with, setup, teardown),
		cmocka_unit_test_setup_teardown(meddled_with_loosely, setup, teardown),
		cmocka_unit_test_setup_teardown(end, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(one_waits_one_takes, setup, teardown),
		cmocka_unit_test_setup_teardown(too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(batch, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_for_recv, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(lent_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(whole, setup, teardown),
		cmocka_unit_test_setup_teardown(some_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(lend, setup, teardown),
		cmocka_unit_test_setup_teardown(lend_all, setup, teardown),
		cmocka_unit_test_setup_teardown(dead_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(crowd, setup, teardown),
		cmocka_unit_test_setup_teardown(once_per_readiness, setup, teardown),
		cmocka_unit_test_setup_teardown(rally, setup, teardown),
		cmocka_unit_test_setup_teardown(busy_poll, setup, teardown),
	};

	return RUN_TESTS(tests);
}
