/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_switch.h"

#include "vde/switch/mactable.h"
#include "vde/switch/vlan.h"

#define TAGGED(tci) 0x81, 0x00, (tci) >> 8, (tci) & 0xff
#define TYPE        0x88, 0xb5

/* dst, src: the last byte of 02:00:00:00:00:XX; 0xff as dst is the broadcast address. */
static size_t header(uint8_t out[18], uint8_t dst, uint8_t src, int tci)
{
	const uint8_t type[] = { TYPE };
	size_t len = 12;

	memset(out, dst == 0xff ? 0xff : 0, 6);
	if (dst != 0xff)
		out[0] = 2;
	out[5] = dst;
	memcpy(out + 6, (uint8_t[]){ 2, 0, 0, 0, 0, src }, 6);
	if (tci >= 0) {
		memcpy(out + len, (uint8_t[]){ TAGGED(tci) }, 4);
		len += 4;
	}
	memcpy(out + len, type, sizeof(type));
	return len + sizeof(type);
}

static void send_to(struct vde_switch *sw, struct fake *from, uint8_t dst, uint8_t src, int tci)
{
	uint8_t bytes[18];
	size_t len = header(bytes, dst, src, tci);

	fake_send(sw, from, bytes, len, 60);
}

/* The frame came out with this tag (-1: none), and with a type and length that fit. */
static void assert_frame(const struct fake *fake, unsigned i, int tci, size_t len)
{
	const uint8_t *data = fake->frames[i].data;

	assert_true(i < fake->count);
	assert_int_equal(fake->frames[i].len, len);
	if (tci >= 0) {
		assert_memory_equal(data + 12, ((uint8_t[]){ TAGGED(tci) }), 4);
		data += 4;
	}
	assert_memory_equal(data + 12, ((uint8_t[]){ TYPE }), 2);
}

struct net {
	struct vde_switch sw;
	struct fake a, b, c;
};

static void net_start(struct net *net)
{
	memset(net, 0, sizeof(*net));
	fake_switch_init(&net->sw);
	fake_attach(&net->sw, 1, &net->a);
	fake_attach(&net->sw, 2, &net->b);
	fake_attach(&net->sw, 3, &net->c);
}

static void learns_and_floods(void **state)
{
	static struct net n;

	(void)state;
	net_start(&n);
	send_to(&n.sw, &n.a, 0xff, 1, -1);
	assert_int_equal(n.b.count, 1);
	assert_int_equal(n.c.count, 1);
	assert_int_equal(n.a.count, 0);
	send_to(&n.sw, &n.b, 1, 2, -1); /* known */
	assert_int_equal(n.a.count, 1);
	assert_int_equal(n.c.count, 1);
	send_to(&n.sw, &n.a, 9, 1, -1); /* unknown */
	assert_int_equal(n.b.count, 2);
	assert_int_equal(n.c.count, 2);
	send_to(&n.sw, &n.a, 1, 1, -1); /* to itself: nowhere */
	assert_int_equal(n.a.count + n.b.count + n.c.count, 5);
	assert_int_equal(n.sw.macs->count, 2);
	switch_done(&n.sw);
}

static void checks_lengths(void **state)
{
	static struct net n;
	uint8_t bytes[18];
	size_t len = header(bytes, 0xff, 1, -1);

	(void)state;
	net_start(&n);
	fake_send(&n.sw, &n.a, bytes, 0, 0);
	fake_send(&n.sw, &n.a, bytes, 13, 13);
	fake_send(&n.sw, &n.a, bytes, len, 9235);
	assert_int_equal(n.b.count, 0);
	fake_send(&n.sw, &n.a, bytes, len, 14);
	fake_send(&n.sw, &n.a, bytes, len, 9234);
	assert_int_equal(n.b.count, 2);
	assert_int_equal(n.a.ep->port->counters.drops[DROP_SHORT], 2);
	assert_int_equal(n.a.ep->port->counters.drops[DROP_OVERSIZE], 1);
	assert_int_equal(n.a.ep->port->counters.in.packets, 2);
	assert_int_equal(n.a.ep->port->counters.in.bytes, 14 + 9234);
	assert_int_equal(n.b.ep->port->counters.out.bytes, 14 + 9234);
	/* A tag that is cut off is no tag. */
	(void)header(bytes, 0xff, 1, 5);
	fake_send(&n.sw, &n.a, bytes, 16, 16);
	assert_int_equal(n.b.count, 2);
	assert_int_equal(n.a.ep->port->counters.drops[DROP_SHORT], 3);
	switch_done(&n.sw);
}

/* Every way a tag can come and leave: a in 5 untagged, b in 5 tagged, c not in 5. */
static void tags_come_and_go(void **state)
{
	static struct net n;

	(void)state;
	net_start(&n);
	assert_int_equal(vlan_create(&n.sw, 5), 0);
	assert_int_equal(vlan_set_untagged(&n.sw, n.sw.ports[1], 5), 0);
	assert_int_equal(vlan_add_port(&n.sw, 5, 2), 0);
	send_to(&n.sw, &n.a, 0xff, 1, -1);
	assert_frame(&n.b, 0, 5, 64);
	assert_int_equal(n.c.count, 0);
	send_to(&n.sw, &n.b, 1, 2, 0xe005); /* priority 7 */
	assert_frame(&n.a, 0, -1, 56);
	send_to(&n.sw, &n.a, 2, 1, 5); /* tagged with the untagged VLAN: the same VLAN */
	assert_frame(&n.b, 1, 5, 60);
	send_to(&n.sw, &n.c, 0xff, 3, 5); /* not a member */
	assert_int_equal(n.sw.ports[3]->counters.drops[DROP_VLAN], 1);
	send_to(&n.sw, &n.b, 0xff, 2, -1); /* VLAN 0: only b and c are there */
	assert_int_equal(n.a.count, 1);
	assert_frame(&n.c, 0, -1, 60);
	assert_int_equal(n.sw.vlans[5]->counters.in.packets, 3);
	switch_done(&n.sw);
}

static void priority_tags(void **state)
{
	static struct net n;

	(void)state;
	net_start(&n);
	send_to(&n.sw, &n.a, 0xff, 1, 0xa000); /* member of VLAN 0: leaves untagged there */
	assert_frame(&n.b, 0, -1, 56);
	assert_int_equal(vlan_create(&n.sw, 5), 0);
	assert_int_equal(vlan_set_untagged(&n.sw, n.sw.ports[1], 5), 0);
	assert_int_equal(vlan_add_port(&n.sw, 5, 2), 0);
	send_to(&n.sw, &n.a, 0xff, 1, 0xa000); /* not a member: the port's VLAN, same priority */
	assert_frame(&n.b, 1, 0xa005, 60);
	assert_int_equal(n.c.count, 1);
	switch_done(&n.sw);
}

static void no_untagged_vlan(void **state)
{
	static struct net n;

	(void)state;
	net_start(&n);
	assert_int_equal(vlan_set_untagged(&n.sw, n.sw.ports[1], VLAN_NONE), 0);
	send_to(&n.sw, &n.a, 0xff, 1, -1);
	send_to(&n.sw, &n.b, 0xff, 2, -1);
	assert_int_equal(n.b.count + n.a.count, 0);
	assert_int_equal(n.c.count, 1);
	assert_int_equal(n.sw.ports[1]->counters.drops[DROP_VLAN], 1);
	switch_done(&n.sw);
}

static void hub_repeats(void **state)
{
	static struct net n;
	struct fake zero;
	struct port *port;

	(void)state;
	net_start(&n);
	assert_int_equal(port_create(&n.sw, 0, false, &port), 0);
	fake_attach(&n.sw, 4, &zero);
	n.sw.hub = true;
	send_to(&n.sw, &n.a, 1, 1, 77); /* even to itself, with any tag */
	assert_frame(&n.b, 0, 77, 60);
	assert_frame(&n.c, 0, 77, 60);
	assert_int_equal(n.a.count, 0);
	assert_int_equal(n.sw.macs->count, 0);
	switch_done(&n.sw);
}

/* What would block waits, in order, behind what waits already; only a full queue drops. */
static void queues_and_drops(void **state)
{
	static struct net n;

	(void)state;
	memset(&n, 0, sizeof(n));
	n.sw.settings.queue_size = 600; /* ten frames */
	fake_switch_init(&n.sw);
	fake_attach(&n.sw, 1, &n.a);
	fake_attach(&n.sw, 2, &n.b);
	fake_attach(&n.sw, 3, &n.c);
	n.b.takes = 2;
	for (uint8_t i = 0; i < 20; i++)
		send_to(&n.sw, &n.a, 0xff, i, -1);
	assert_int_equal(n.b.count, 2);
	assert_int_equal(n.b.ep->queue.frames, 10);
	assert_int_equal(n.b.ep->port->counters.drops[DROP_QUEUE_FULL], 8);
	assert_int_equal(n.b.ep->port->counters.out.packets, 12);
	assert_int_equal(n.c.count, 20); /* the others do not notice */
	n.b.takes = 3;
	endpoint_flush_queue(&n.sw, n.b.ep);
	assert_int_equal(n.b.count, 5);
	assert_true(n.b.ep->data_events & EPOLLOUT);
	n.b.takes = -1;
	n.b.refuse = ECONNREFUSED; /* about one frame: the rest goes on */
	endpoint_flush_queue(&n.sw, n.b.ep);
	assert_int_equal(n.b.count, 11);
	assert_int_equal(n.b.ep->port->counters.drops[DROP_REFUSED], 1);
	assert_false(n.b.ep->data_events & EPOLLOUT);
	assert_int_equal(n.sw.chunks.used, 0);
	for (unsigned i = 0; i < n.b.count; i++) /* sources tell the order; number 5 was refused */
		assert_int_equal(n.b.frames[i].data[11], i < 5 ? i : i + 1);
	switch_done(&n.sw);
}

static void no_buffer(void **state)
{
	static struct net n;

	(void)state;
	net_start(&n);
	n.b.takes = 0;
	while (pool_get(&n.sw.chunks))
		;
	send_to(&n.sw, &n.a, 0xff, 1, -1);
	assert_int_equal(n.b.ep->port->counters.drops[DROP_NO_BUFFER], 1);
	assert_int_equal(n.c.count, 1);
	switch_done(&n.sw);
}

/* Batches of every size, one endpoint taking part of each: nothing lost, nothing out of order. */
static void batches(void **state)
{
	static struct net n;
	uint32_t len[FORWARD_BATCH];
	uint8_t number = 0;

	(void)state;
	net_start(&n);
	for (unsigned size = 1; size <= 16; size++) {
		n.b.takes = (int)size / 2;
		for (unsigned i = 0; i < size; i++) {
			(void)header(forward_buffer(n.sw.forward, i), 0xff, number++, -1);
			len[i] = 60 + i;
		}
		forward_batch(&n.sw, n.a.ep, len, size);
		n.b.takes = -1;
		endpoint_flush_queue(&n.sw, n.b.ep);
	}
	assert_int_equal(n.b.count, 136);
	assert_int_equal(n.c.count, 136);
	for (unsigned i = 0; i < 136; i++) {
		assert_int_equal(n.b.frames[i].data[11], i);
		assert_int_equal(n.b.frames[i].len, n.c.frames[i].len);
	}
	switch_done(&n.sw);
}

static void forgets_with_the_port(void **state)
{
	static struct net n;

	(void)state;
	net_start(&n);
	send_to(&n.sw, &n.a, 0xff, 1, -1);
	send_to(&n.sw, &n.b, 0xff, 2, -1);
	assert_int_equal(n.sw.macs->count, 2);
	endpoint_close(&n.sw, n.a.ep);
	assert_int_equal(n.sw.macs->count, 1);
	assert_int_equal(n.sw.ports[1]->user, (uid_t)-1);
	send_to(&n.sw, &n.b, 1, 2, -1);
	assert_int_equal(n.c.count, 3);
	switch_done(&n.sw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learns_and_floods),     cmocka_unit_test(checks_lengths),
		cmocka_unit_test(tags_come_and_go),      cmocka_unit_test(priority_tags),
		cmocka_unit_test(no_untagged_vlan),      cmocka_unit_test(hub_repeats),
		cmocka_unit_test(queues_and_drops),      cmocka_unit_test(no_buffer),
		cmocka_unit_test(batches),               cmocka_unit_test(forgets_with_the_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
