/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Batches on a plug-in of the test's own: a datagram socket, with and without operations of its own. */
#include "test.h"

#include <poll.h>
#include <sys/socket.h>

#include "base/io.h"
#include "stream_frames.h"
#include "vde/plug/batch.h"

#define LIBRARY_SLOTS 32 /* frames that the library lends */

struct fake {
	void *handle;
	struct vdeplug_module *module;
	int fd, peer_fd;
	unsigned nothings;  /* receives that find nothing after all */
	unsigned receives, sends, batches, gets, puts, commits, polls;
	uint64_t native;
	bool supported;
	struct plug_module m;
};

static struct fake *fake_of(VDECONN *conn)
{
	return (struct fake *)conn;
}

static ssize_t fake_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	struct fake *fake = fake_of(conn);

	(void)flags;
	fake->receives++;
	if (fake->nothings) {
		fake->nothings--;
		return 1;
	}
	return recv(fake->fd, buf, len, 0); /* cuts, and waits */
}

static ssize_t fake_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	(void)flags;
	fake_of(conn)->sends++;
	return send(fake_of(conn)->fd, buf, len, MSG_NOSIGNAL);
}

static int fake_datafd(VDECONN *conn)
{
	return fake_of(conn)->fd;
}

static uint64_t fake_features(VDECONN *conn, uint64_t features)
{
	return (features & fake_of(conn)->native) | VDE_FEATURE_RING;
}

static int unsupported(void)
{
	errno = EOPNOTSUPP;
	return -1;
}

static int fake_recv_batch(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	(void)frames;
	fake_of(conn)->batches++;
	return fake_of(conn)->supported ? (int)count : unsupported();
}

static int fake_send_batch(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	fake_of(conn)->batches++;
	for (unsigned i = 0; i < count; i++)
		if (send(fake_of(conn)->fd, frames[i].data, frames[i].len, 0) < 0)
			return (int)i;
	return (int)count;
}

static int fake_rx_get(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	(void)frames;
	fake_of(conn)->gets++;
	return fake_of(conn)->supported ? (int)count : unsupported();
}

static void fake_rx_put(VDECONN *conn, unsigned count)
{
	fake_of(conn)->puts += count;
}

static int fake_tx_get(VDECONN *conn, struct vde_frame *frames, unsigned count, size_t len)
{
	(void)frames;
	(void)len;
	fake_of(conn)->gets++;
	return fake_of(conn)->supported ? (int)count : unsupported();
}

static int fake_tx_commit(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	(void)frames;
	fake_of(conn)->commits += count;
	return (int)count;
}

static int fake_busy_poll(VDECONN *conn, unsigned usec)
{
	fake_of(conn)->polls += usec;
	return fake_of(conn)->supported ? 0 : unsupported();
}

static const struct vdeplug_ops_ext ext = {
	.size = sizeof(ext),
	.vde_features = fake_features,
	.vde_recv_batch = fake_recv_batch,
	.vde_send_batch = fake_send_batch,
	.vde_rx_get = fake_rx_get,
	.vde_rx_put = fake_rx_put,
	.vde_tx_get = fake_tx_get,
	.vde_tx_commit = fake_tx_commit,
	.vde_busy_poll = fake_busy_poll,
};

static int setup(void **state)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	int fds[2];

	assert_non_null(fake);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	fake->fd = fds[0];
	fake->peer_fd = fds[1];
	assert_int_equal(io_set_nonblock(fake->peer_fd, true), 0);
	fake->m.ops = (struct vdeplug_module){
		.vde_recv = fake_recv, .vde_send = fake_send, .vde_datafd = fake_datafd,
	};
	fake->module = &fake->m.ops;
	*state = fake;
	return 0;
}

static int teardown(void **state)
{
	struct fake *fake = *state;

	batch_done(&fake->m);
	(void)close(fake->fd);
	if (fake->peer_fd >= 0)
		(void)close(fake->peer_fd);
	free(fake);
	return 0;
}

static void arrive(struct fake *fake, uint8_t fill, size_t len)
{
	uint8_t frame[9000];

	memset(frame, fill, len);
	assert_int_equal(send(fake->peer_fd, frame, len, 0), len);
}

static void expect(struct fake *fake, uint8_t fill, size_t len)
{
	static uint8_t frame[VDE_FRAME_MAX];

	assert_int_equal(recv(fake->peer_fd, frame, sizeof(frame), 0), len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(frame[i], fill);
}

static void expect_nothing(struct fake *fake)
{
	assert_int_equal(recv(fake->peer_fd, (uint8_t[1]){ 0 }, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

/* --- the old operations --------------------------------------------------------------------- */

static void receive(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;
	static uint8_t bufs[4][VDE_ETHBUFSIZE];
	struct vde_frame frames[4];

	for (unsigned i = 0; i < 4; i++)
		frames[i] = (struct vde_frame){ .data = bufs[i], .len = i == 1 ? 100 : sizeof(bufs[i]),
						.vnet.flags = 9, .flags = 9 };
	assert_int_equal(batch_recv(conn, frames, 4), 0); /* does not wait */
	assert_int_equal(fake->receives, 0);
	arrive(fake, 1, 60);
	arrive(fake, 2, 200); /* does not fit: dropped, not cut */
	arrive(fake, 3, 9);
	arrive(fake, 4, 100);
	fake->nothings = 2;
	assert_int_equal(batch_recv(conn, frames, 4), 2);
	assert_int_equal(frames[0].len, 60);
	assert_int_equal(bufs[0][59], 1);
	assert_int_equal(frames[1].len, 100);
	assert_int_equal(bufs[1][99], 4);
	assert_int_equal(frames[0].vnet.flags | frames[1].vnet.flags | frames[1].flags, 0);
	(void)close(fake->peer_fd);
	fake->peer_fd = -1;
	assert_int_equal(batch_recv(conn, frames, 4), -EPIPE);
	assert_int_equal(batch_rx_get(conn, frames, 4), -EPIPE);
}

/* A plug-in that is readable without end and has nothing is not asked without end. */
static void receive_nothing(void **state)
{
	struct fake *fake = *state;
	struct vde_frame frame = { .data = (uint8_t[64]){ 0 }, .len = 64 };

	arrive(fake, 1, 60);
	fake->nothings = 1000;
	assert_int_equal(batch_recv((VDECONN *)fake, &frame, 1), 0);
	assert_in_range(fake->receives, 1, 100);
	fake->nothings = 0;
	assert_int_equal(batch_recv((VDECONN *)fake, &frame, 1), 1);
}

/* A socket that does not block is read until nothing is there. */
static void receive_nonblocking(void **state)
{
	struct fake *fake = *state;
	uint8_t bufs[4][VDE_ETHBUFSIZE];
	struct vde_frame frames[4];

	for (unsigned i = 0; i < 4; i++)
		frames[i] = (struct vde_frame){ .data = bufs[i], .len = sizeof(bufs[i]) };
	assert_int_equal(io_set_nonblock(fake->fd, true), 0);
	arrive(fake, 1, 60);
	arrive(fake, 2, 60);
	assert_int_equal(batch_recv((VDECONN *)fake, frames, 4), 2);
	assert_int_equal(fake->receives, 3);
}

/* Frames stay until they are given back, in order; as many as the library has buffers for. */
static void lend(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;
	struct vde_frame lent[LIBRARY_SLOTS + 8], more[LIBRARY_SLOTS];

	for (uint8_t i = 0; i < 10; i++)
		arrive(fake, i, 60u + i);
	assert_int_equal(batch_rx_get(conn, lent, 4), 4);
	assert_int_equal(batch_rx_get(conn, lent + 4, 40 - 4), 6);
	for (uint8_t i = 0; i < 10; i++) {
		assert_int_equal(lent[i].len, 60 + i);
		assert_int_equal(((uint8_t *)lent[i].data)[59], i);
	}
	batch_rx_put(conn, 9);
	for (uint8_t round = 0; round < 3; round++) {
		for (uint8_t i = 0; i < LIBRARY_SLOTS; i++)
			arrive(fake, i, 70);
		assert_int_equal(batch_rx_get(conn, more, LIBRARY_SLOTS), LIBRARY_SLOTS - 1);
		assert_int_equal(batch_rx_get(conn, more, 1), 0);
		assert_int_equal(((uint8_t *)lent[9].data)[0], 9);
		assert_int_equal(((uint8_t *)more[30].data)[0], 30);
		batch_rx_put(conn, LIBRARY_SLOTS);
		assert_int_equal(batch_rx_get(conn, lent + 9, 1), 1);
		memset(lent[9].data, 9, 1);
	}
}

static void transmit(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;
	uint8_t data[100];
	struct vde_frame frames[3] = { { .data = data, .len = 60 }, { .data = data, .len = 5 },
				       { .data = data, .len = 100 } };

	memset(data, 7, sizeof(data));
	assert_int_equal(batch_send(conn, frames, 3), 3);
	expect(fake, 7, 60);
	expect(fake, 7, 100);
	expect_nothing(fake);
	assert_int_equal(batch_send(conn, frames, 0), 0);
}

/* A short count, not an error, when there is no room. */
static void transmit_full(void **state)
{
	struct fake *fake = *state;
	static uint8_t data[9000];
	struct vde_frame frames[1000];
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
		frames[i] = (struct vde_frame){ .data = data, .len = sizeof(data) };
	assert_int_equal(io_set_nonblock(fake->fd, true), 0);
	n = batch_send((VDECONN *)fake, frames, ARRAY_SIZE(frames));
	assert_in_range(n, 1, ARRAY_SIZE(frames) - 1);
	assert_int_equal(batch_send((VDECONN *)fake, frames, 1), 0);
	assert_int_equal(batch_tx_get((VDECONN *)fake, frames, 2, 100), 2); /* room of the library's */
	assert_int_equal(batch_tx_commit((VDECONN *)fake, frames, 2), 0);
	for (int i = 0; i < n; i++)
		expect(fake, 0, sizeof(data));
	frames[0] = (struct vde_frame){ .data = data, .len = sizeof(data) };
	assert_int_equal(batch_send((VDECONN *)fake, frames, 1), 1);
	expect(fake, 0, sizeof(data));
	(void)close(fake->peer_fd);
	fake->peer_fd = -1;
	assert_int_equal(batch_send((VDECONN *)fake, frames, 1), -EPIPE);
}

static void rooms(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;
	struct vde_frame lent[LIBRARY_SLOTS + 1];

	assert_int_equal(batch_tx_get(conn, lent, 1, VDE_FRAME_MAX + 1), -EMSGSIZE);
	assert_int_equal(batch_tx_get(conn, lent, 0, 100), 0);
	assert_int_equal(batch_tx_commit(conn, lent, 0), -EINVAL);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(batch_tx_get(conn, lent, LIBRARY_SLOTS + 1, 100), LIBRARY_SLOTS);
		assert_int_equal(batch_tx_get(conn, lent, 1, 100), -EBUSY);
		for (uint8_t i = 0; i < 3; i++) {
			lent[i].len = 60u + i;
			memset(lent[i].data, i, lent[i].len);
		}
		assert_int_equal(batch_tx_commit(conn, lent, LIBRARY_SLOTS + 1), -EINVAL);
		assert_int_equal(batch_tx_commit(conn, lent, 3), 3);
		assert_int_equal(batch_tx_commit(conn, lent, 1), -EINVAL);
		for (uint8_t i = 0; i < 3; i++)
			expect(fake, i, 60u + i);
		expect_nothing(fake);
	}
}

/* --- super-frames --------------------------------------------------------------------------- */

#define ALL     (VDE_FEATURE_CSUM | VDE_FEATURE_TSO4 | VDE_FEATURE_TSO6 | VDE_FEATURE_USO)
#define SEGMENT 1448u

static const struct stream_spec spec_base = {
	.version = 4, .source_port = 1000, .seq = 7, .flags = TCP_ACK | TCP_PSH, .payload_len = 60000,
};

static struct vde_frame super(const struct stream_spec *spec, uint8_t *buf)
{
	struct vnet_header vnet;
	size_t len = build_super(buf, spec, SEGMENT, &vnet);

	return (struct vde_frame){
		.data = buf, .len = len,
		.vnet = { vnet.flags, vnet.gso_type, vnet.hdr_len, vnet.gso_size, vnet.csum_start,
			  vnet.csum_offset, 0 },
	};
}

static void expect_pieces(struct fake *fake, const struct stream_spec *spec)
{
	uint8_t wanted[2048], got[2048];

	for (size_t i = 0; i < (spec->payload_len + SEGMENT - 1) / SEGMENT; i++) {
		struct stream_spec piece = cut_spec(spec, SEGMENT, i);
		size_t len = build_packet(wanted, &piece);

		assert_int_equal(recv(fake->peer_fd, got, sizeof(got), 0), len);
		assert_memory_equal(got, wanted, len);
	}
}

static void features(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;

	assert_int_equal(batch_features(conn, UINT64_MAX), ALL);
	assert_int_equal(batch_features(conn, VDE_FEATURE_TSO4), 0); /* needs the other */
	assert_int_equal(batch_features(conn, 0), 0);
	fake->m.ext = &ext;
	fake->native = VDE_FEATURE_CSUM;
	assert_int_equal(batch_features(conn, UINT64_MAX), ALL | VDE_FEATURE_RING);
	assert_int_equal(batch_features(conn, 0), VDE_FEATURE_RING);
}

/* The network knows nothing of super-frames: they are cut, in their place among others. */
static void cut(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;
	static uint8_t buf[2][VNET_FRAME_MAX];
	uint8_t plain[60];
	struct stream_spec six = spec_base;
	struct vde_frame frames[4] = { { .data = plain, .len = 60 }, super(&spec_base, buf[0]),
				       { .data = plain, .len = 60 } };

	six.version = 6;
	frames[3] = super(&six, buf[1]);
	memset(plain, 3, sizeof(plain));
	(void)batch_features(conn, ALL);
	assert_int_equal(batch_send(conn, frames, 4), 4);
	expect(fake, 3, 60);
	expect_pieces(fake, &spec_base);
	expect(fake, 3, 60);
	expect_pieces(fake, &six);
	expect_nothing(fake);
	frames[1].vnet.gso_size = 1; /* nobody wants that */
	assert_int_equal(batch_send(conn, frames, 2), 2);
	expect(fake, 3, 60);
	expect_nothing(fake);
}

/* The same of room that was lent. */
static void cut_rooms(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;
	struct vde_frame lent;
	void *data;

	fake->m.ext = &ext;
	fake->supported = true;
	fake->native = VDE_FEATURE_CSUM;
	(void)batch_features(conn, ALL);
	assert_int_equal(batch_tx_get(conn, &lent, 1, VDE_FRAME_MAX), 1);
	assert_int_equal(fake->gets, 0); /* what the plug-in lends could not be cut */
	data = lent.data;
	lent = super(&spec_base, data);
	assert_int_equal(batch_tx_commit(conn, &lent, 1), 1);
	expect_pieces(fake, &spec_base);
	expect_nothing(fake);
	assert_in_range(fake->batches, 1, 3); /* and pieces are sent in batches */
	fake->native = ALL;
	(void)batch_features(conn, ALL);
	assert_int_equal(batch_tx_get(conn, &lent, 1, VDE_FRAME_MAX), 1);
	assert_int_equal(batch_tx_commit(conn, &lent, 1), 1);
	assert_int_equal(fake->gets, 1);
	assert_int_equal(fake->commits, 1);
}

static void native(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;
	static uint8_t buf[VNET_FRAME_MAX], got[VNET_FRAME_MAX];
	struct vde_frame frame = super(&spec_base, buf);

	fake->m.ext = &ext;
	fake->native = VDE_FEATURE_CSUM | VDE_FEATURE_TSO4;
	(void)batch_features(conn, VDE_FEATURE_CSUM | VDE_FEATURE_TSO4);
	assert_int_equal(batch_send(conn, &frame, 1), 1);
	assert_int_equal(recv(fake->peer_fd, got, sizeof(got), 0), frame.len);
	(void)batch_features(conn, 0);
	assert_int_equal(batch_send(conn, &frame, 1), 1);
	expect_pieces(fake, &spec_base);
	expect_nothing(fake);
}

/* --- operations of the plug-in's own -------------------------------------------------------- */

static void own_operations(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;
	struct vde_frame frames[3];

	fake->m.ext = &ext;
	fake->supported = true;
	assert_int_equal(batch_recv(conn, frames, 3), 3);
	assert_int_equal(fake->batches, 1);
	assert_int_equal(batch_rx_get(conn, frames, 3), 3);
	batch_rx_put(conn, 3);
	assert_int_equal(fake->puts, 3);
	assert_int_equal(batch_tx_get(conn, frames, 3, 100), 3);
	assert_int_equal(batch_tx_commit(conn, frames, 3), 3);
	assert_int_equal(fake->commits, 3);
	assert_int_equal(batch_busy_poll(conn, 10), 0);
	assert_int_equal(fake->polls, 10);
	assert_null(atomic_load(&fake->m.batch));	/* nothing was needed of the library's */
}

/* Those that it has, but not for this connection. */
static void not_this_time(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;
	uint8_t buf[2000];
	struct vde_frame frames[2] = { { .data = buf, .len = sizeof(buf) } };

	fake->m.ext = &ext;
	arrive(fake, 1, 60);
	assert_int_equal(batch_recv(conn, frames, 1), 1);
	assert_int_equal(batch_recv(conn, frames, 1), 0);
	assert_int_equal(fake->batches, 1); /* asked once */
	arrive(fake, 2, 60);
	assert_int_equal(batch_rx_get(conn, frames, 2), 1);
	batch_rx_put(conn, 1);
	assert_int_equal(fake->puts, 0);
	assert_int_equal(batch_tx_get(conn, frames, 1, 100), 1);
	assert_int_equal(batch_tx_commit(conn, frames, 0), 0);
	assert_int_equal(fake->commits, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(batch_busy_poll(conn, 10), 0); /* what cannot be polled need not be */
	assert_int_equal(fake->polls, 10);
}

/* A plug-in that was made when there were fewer. */
static void short_table(void **state)
{
	struct fake *fake = *state;
	VDECONN *conn = (VDECONN *)fake;
	struct vdeplug_ops_ext small = ext;
	uint8_t buf[2000];
	struct vde_frame frame = { .data = buf, .len = sizeof(buf) };

	small.size = offsetof(struct vdeplug_ops_ext, vde_recv_batch) + sizeof(void *) - 1;
	fake->m.ext = &small;
	fake->supported = true;
	fake->native = ALL;
	assert_int_equal(batch_features(conn, ALL), ALL | VDE_FEATURE_RING);
	arrive(fake, 1, 60);
	assert_int_equal(batch_recv(conn, &frame, 1), 1);
	assert_int_equal(fake->batches, 0);
	assert_int_equal(batch_busy_poll(conn, 10), 0);
	assert_int_equal(fake->polls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(receive, setup, teardown),
		cmocka_unit_test_setup_teardown(receive_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(receive_nonblocking, setup, teardown),
		cmocka_unit_test_setup_teardown(lend, setup, teardown),
		cmocka_unit_test_setup_teardown(transmit, setup, teardown),
		cmocka_unit_test_setup_teardown(transmit_full, setup, teardown),
		cmocka_unit_test_setup_teardown(rooms, setup, teardown),
		cmocka_unit_test_setup_teardown(features, setup, teardown),
		cmocka_unit_test_setup_teardown(cut, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_rooms, setup, teardown),
		cmocka_unit_test_setup_teardown(native, setup, teardown),
		cmocka_unit_test_setup_teardown(own_operations, setup, teardown),
		cmocka_unit_test_setup_teardown(not_this_time, setup, teardown),
		cmocka_unit_test_setup_teardown(short_table, setup, teardown),
	};

	return RUN_TESTS(tests);
}
