/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TAPs of the switch, played by socket pairs: they keep the bounds of frames as a TAP does, and can be
 * full. Frames have the offload headers of TAPs before them.
 */
#include "fake_switch.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "vde/switch/tap_io.h"
#include "wire/checksum.h"
#include "wire/transport.h"

#define HEADERS 54
#define MSS     1448

/* A TAP endpoint; the kernel's side is `fd`. */
struct wire {
	struct tap_endpoint *tap;
	int fd;
	size_t header_len;
};

static void wire_close(struct vde_switch *sw, struct endpoint *ep)
{
	(void)sw;
	tap_endpoint_done(tap_of(ep));
}

static const struct endpoint_class wire_class = {
	.module = "wire", .transport = "tap", .write = tap_write, .flush = tap_flush,
	.close = wire_close,
};

static void wire_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	(void)loop, (void)object, (void)fd, (void)events;
}

static const struct loop_class wire_loop_class = { "wire", wire_ready };

static void wire_attach(struct vde_switch *sw, unsigned number, unsigned header_len, uint64_t takes,
			struct wire *ret)
{
	const struct port_client client = { .uid = 0 };
	struct tap_endpoint *tap = calloc(1, sizeof(*tap));
	struct port *port;
	int ends[2];

	assert_non_null(tap);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(port_acquire(sw, number, false, &client, &port), 0);
	tap->header_len = header_len;
	tap->ep = (struct endpoint){ .class = &wire_class, .id = ends[0], .data_fd = ends[0],
				     .control_fd = -1, .takes = takes };
	assert_int_equal(tap_endpoint_init(tap), 0);
	assert_int_equal(loop_add(sw->loop, &wire_loop_class, ends[0], EPOLLIN, tap,
				  &tap->ep.data_ref), 0);
	endpoint_attach(sw, port, &tap->ep);
	*ret = (struct wire){ tap, ends[1], header_len };
}

/* The kernel's side sends a frame to the switch. */
static void wire_send(const struct wire *wire, const struct vnet_header *vnet, const void *frame,
		      size_t len)
{
	uint8_t message[12 + VNET_FRAME_MAX] = { 0 };

	memcpy(message, vnet, sizeof(*vnet));
	memcpy(message + wire->header_len, frame, len);
	assert_int_equal(send(wire->fd, message, wire->header_len + len, 0), wire->header_len + len);
}

/* What the switch wrote to it: its length, -1 when there is nothing. */
static ssize_t wire_recv(const struct wire *wire, struct vnet_header *vnet, uint8_t *frame)
{
	static uint8_t message[12 + VNET_FRAME_MAX];
	ssize_t n = recv(wire->fd, message, sizeof(message), MSG_DONTWAIT);

	if (n < 0)
		return -1;
	assert_true(n >= (ssize_t)wire->header_len);
	memcpy(vnet, message, sizeof(*vnet));
	memcpy(frame, message + wire->header_len, (size_t)n - wire->header_len);
	return n - (ssize_t)wire->header_len;
}

static const uint8_t lead[HEADERS] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00,
	0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
	0x03, 0xe8, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 1, 0, 0, 0, 0, 0,
};

/* TCP over IPv4 with PAYLOAD bytes from SEQ on, complete; returns its length. */
static size_t tcp_frame(uint8_t *frame, uint32_t seq, size_t payload)
{
	struct ipv4_header *ip = (struct ipv4_header *)(frame + 14);
	struct transport_layout layout;
	uint32_t seq_be = htobe32(seq);
	uint64_t sum;
	uint16_t field;

	memset(frame, 'x', HEADERS + payload);
	memcpy(frame, lead, sizeof(lead));
	memcpy(frame + 38, &seq_be, sizeof(seq_be));
	ip->total_len = htobe16((uint16_t)(40 + payload));
	ip->checksum = checksum(ip, 20);
	assert_int_equal(transport_parse(frame, HEADERS + payload, HEADERS + payload, false, &layout),
			 0);
	sum = transport_pseudo_sum(frame, &layout, 20 + payload);
	field = checksum_finish(checksum_add(sum, frame + 34, 20 + payload));
	memcpy(frame + 50, &field, sizeof(field));
	return HEADERS + payload;
}

static const struct vnet_header plain;

static const struct vnet_header super = {
	.flags = VNET_NEEDS_CSUM, .gso_type = VNET_GSO_TCPV4, .hdr_len = HEADERS, .gso_size = MSS,
	.csum_start = 34, .csum_offset = 16,
};

static void begin(struct vde_switch *sw)
{
	memset(sw, 0, sizeof(*sw));
	fake_switch_init(sw);
}

/* A super-frame passes from one TAP to another as it is, whichever headers they have. */
static void super_frames_pass(void **state)
{
	static const unsigned lengths[][2] = { { 10, 10 }, { 12, 10 }, { 10, 12 }, { 12, 12 } };
	static uint8_t frame[VNET_FRAME_MAX], got[VNET_FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		static struct vde_switch sw;
		struct wire one, two;
		struct vnet_header vnet;
		size_t len = tcp_frame(frame, 1, 20000);

		begin(&sw);
		wire_attach(&sw, 1, lengths[i][0], VDE_RING_F_ALL, &one);
		wire_attach(&sw, 2, lengths[i][1], VDE_RING_F_ALL, &two);
		wire_send(&one, &super, frame, len);
		assert_true(tap_drain(&sw, one.tap));
		assert_int_equal(wire_recv(&two, &vnet, got), len);
		assert_int_equal(vnet.gso_type, VNET_GSO_TCPV4);
		assert_int_equal(vnet.gso_size, MSS);
		assert_memory_equal(got + HEADERS, frame + HEADERS, len - HEADERS);
		assert_int_equal(wire_recv(&two, &vnet, got), -1);
		assert_int_equal(wire_recv(&one, &vnet, got), -1);
		assert_int_equal(sw.ports[2]->counters.super_out, 1);
		assert_int_equal(sw.ports[2]->counters.out.packets, 14);
		(void)close(one.fd);
		(void)close(two.fd);
		switch_done(&sw);
	}
}

/* One that takes no super-frames gets segments, with empty headers. */
static void cut_for_some(void **state)
{
	static uint8_t frame[VNET_FRAME_MAX], got[VNET_FRAME_MAX];
	static struct vde_switch sw;
	struct wire one, two;
	struct vnet_header vnet;

	(void)state;
	begin(&sw);
	wire_attach(&sw, 1, 10, VDE_RING_F_ALL, &one);
	wire_attach(&sw, 2, 12, 0, &two);
	wire_send(&one, &super, frame, tcp_frame(frame, 1, 2 * MSS + 5));
	assert_true(tap_drain(&sw, one.tap));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(wire_recv(&two, &vnet, got), HEADERS + (i < 2 ? MSS : 5));
		assert_memory_equal(&vnet, &plain, sizeof(vnet));
	}
	assert_int_equal(wire_recv(&two, &vnet, got), -1);
	(void)close(one.fd);
	(void)close(two.fd);
	switch_done(&sw);
}

/* Segments that come together are joined; order is kept, with what does not belong between them. */
static void segments_are_joined(void **state)
{
	static uint8_t frame[VNET_FRAME_MAX], got[VNET_FRAME_MAX], other[60] = { 0xff, 0xff };
	static struct vde_switch sw;
	struct wire one, two;
	struct vnet_header vnet;

	(void)state;
	begin(&sw);
	wire_attach(&sw, 1, 10, VDE_RING_F_ALL, &one);
	wire_attach(&sw, 2, 10, VDE_RING_F_ALL, &two);
	for (uint32_t i = 0; i < 5; i++)
		wire_send(&one, &plain, frame, tcp_frame(frame, 1 + i * MSS, MSS));
	wire_send(&one, &plain, other, sizeof(other));
	assert_true(tap_drain(&sw, one.tap));
	for (int i = 0; i < 2; i++) {
		ssize_t len = wire_recv(&two, &vnet, got);

		if (len == (ssize_t)sizeof(other))
			continue;
		assert_int_equal(len, HEADERS + 5 * MSS);
		assert_int_equal(vnet.gso_size, MSS);
		assert_int_equal(vnet.gso_type, VNET_GSO_TCPV4);
	}
	assert_int_equal(wire_recv(&two, &vnet, got), -1);
	assert_int_equal(sw.ports[2]->counters.out.packets, 6);
	assert_int_equal(sw.ports[2]->counters.super_out, 1);
	(void)close(one.fd);
	(void)close(two.fd);
	switch_done(&sw);
}

/* A header that contradicts its frame: the frame is dropped and counted, the next one passes. */
static void nonsense_is_dropped(void **state)
{
	static const struct vnet_header wrong[] = {
		{ .flags = VNET_NEEDS_CSUM, .gso_type = VNET_GSO_TCPV4, .gso_size = 5 },
		{ .gso_type = VNET_GSO_UDP, .gso_size = 1000 },
		{ .flags = 0xff, .gso_type = 0x7f, .hdr_len = 0xffff, .gso_size = 0xffff,
		  .csum_start = 0xffff, .csum_offset = 0xffff },
	};
	static uint8_t frame[VNET_FRAME_MAX], got[VNET_FRAME_MAX];
	static struct vde_switch sw;
	struct wire one, two;
	struct vnet_header vnet;
	size_t len = tcp_frame(frame, 1, 1000);

	(void)state;
	begin(&sw);
	wire_attach(&sw, 1, 12, VDE_RING_F_ALL, &one);
	wire_attach(&sw, 2, 12, VDE_RING_F_ALL, &two);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		wire_send(&one, &wrong[i], frame, len);
	wire_send(&one, &plain, frame, 13);
	wire_send(&one, &plain, frame, len);
	assert_true(tap_drain(&sw, one.tap));
	assert_int_equal(wire_recv(&two, &vnet, got), len);
	assert_int_equal(wire_recv(&two, &vnet, got), -1);
	assert_int_equal(sw.ports[1]->counters.drops[DROP_OFFLOAD], ARRAY_SIZE(wrong));
	assert_int_equal(sw.ports[1]->counters.drops[DROP_SHORT], 1);
	(void)close(one.fd);
	(void)close(two.fd);
	switch_done(&sw);
}

/* What is shorter than the header cannot come from a TAP with that header: it is given up. */
static void header_changed(void **state)
{
	static struct vde_switch sw;
	struct wire one;

	(void)state;
	begin(&sw);
	wire_attach(&sw, 1, 12, VDE_RING_F_ALL, &one);
	assert_int_equal(send(one.fd, "short", 5, 0), 5);
	assert_false(tap_drain(&sw, one.tap));
	(void)close(one.fd);
	switch_done(&sw);
}

/* Blocking descriptors, one full and one empty: nobody waits, and what is lost is counted. */
static void never_waits(void **state)
{
	static uint8_t frame[VNET_FRAME_MAX], got[VNET_FRAME_MAX];
	static struct vde_switch sw;
	struct wire one, two;
	struct vnet_header vnet;
	uint64_t arrived = 0, lost;
	size_t len = tcp_frame(frame, 1, 60000);

	(void)state;
	begin(&sw);
	wire_attach(&sw, 1, 10, VDE_RING_F_ALL, &one);
	wire_attach(&sw, 2, 10, VDE_RING_F_ALL, &two);
	assert_true(tap_drain(&sw, one.tap)); /* empty */
	for (int i = 0; i < 20; i++) {
		wire_send(&one, &super, frame, len);
		assert_true(tap_drain(&sw, one.tap));
	}
	while (wire_recv(&two, &vnet, got) > 0)
		arrived++;
	lost = sw.ports[2]->counters.drops[DROP_QUEUE_FULL];
	assert_true(arrived > 0 && lost > 0);
	assert_int_equal(arrived + lost, 20);
	(void)close(one.fd);
	(void)close(two.fd);
	switch_done(&sw);
}

/* The flags for the kernel follow the features; without checksums there is nothing. */
static void offload_flags(void **state)
{
	(void)state;
	assert_int_equal(tap_offload_flags(0), 0);
	assert_int_equal(tap_offload_flags(VDE_RING_F_TSO4 | VDE_RING_F_USO), 0);
	assert_int_equal(tap_offload_flags(VDE_RING_F_CSUM), 0x01);
	assert_int_equal(tap_offload_flags(VDE_RING_F_CSUM | VDE_RING_F_TSO4), 0x0b);
	assert_int_equal(tap_offload_flags(VDE_RING_F_ALL), 0x6f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(super_frames_pass),
		cmocka_unit_test(cut_for_some),
		cmocka_unit_test(segments_are_joined),
		cmocka_unit_test(nonsense_is_dropped),
		cmocka_unit_test(header_changed),
		cmocka_unit_test(never_waits),
		cmocka_unit_test(offload_flags),
	};

	return RUN_TESTS(tests);
}
