/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which sender is held because of which receiver, and until when. */
#include "fake_switch.h"

#include "base/clock.h"

struct net {
	struct vde_switch sw;
	struct fake a, b, c;
};

static void send_to(struct net *n, struct fake *from, uint8_t dst, uint8_t src)
{
	const uint8_t header[14] = { 2, [5] = dst, [6] = 2, [11] = src, [12] = 0x88, [13] = 0xb5 };

	fake_send(&n->sw, from, header, sizeof(header), 60);
}

/* a, b, c have the addresses 1, 2, 3, which the switch knows; b takes nothing. */
static int net_start(void **state)
{
	static struct net n;

	memset(&n, 0, sizeof(n));
	fake_switch_init(&n.sw);
	fake_attach(&n.sw, 1, &n.a);
	fake_attach(&n.sw, 2, &n.b);
	fake_attach(&n.sw, 3, &n.c);
	send_to(&n, &n.a, 9, 1);
	send_to(&n, &n.b, 9, 2);
	send_to(&n, &n.c, 9, 3);
	n.b.takes = 0;
	*state = &n;
	return 0;
}

static int net_done(void **state)
{
	struct net *n = *state;

	assert_null(n->sw.holds.first);
	switch_done(&n->sw);
	return 0;
}

static void the_sender_is_held(void **state)
{
	struct net *n = *state;

	send_to(n, &n->a, 3, 1); /* somebody who has room */
	send_to(n, &n->a, 8, 1); /* a flood that b has no room for */
	assert_null(n->a.ep->hold.by);
	send_to(n, &n->a, 2, 1);
	assert_ptr_equal(n->a.ep->hold.by, n->b.ep);
	send_to(n, &n->c, 1, 3); /* not to b */
	assert_null(n->c.ep->hold.by);
	send_to(n, &n->c, 2, 3);
	assert_ptr_equal(n->c.ep->hold.by, n->b.ep);
	n->b.takes = 2;
	endpoint_flush_queue(&n->sw, n->b.ep);
	assert_non_null(n->a.ep->hold.by); /* there still is something in the queue */
	n->b.takes = -1;
	endpoint_flush_queue(&n->sw, n->b.ep);
	assert_null(n->a.ep->hold.by);
	assert_null(n->c.ep->hold.by);
	assert_int_equal(n->a.resumed, 1);
	assert_int_equal(n->c.resumed, 1);
	assert_int_equal(n->b.count, 5);
}

static void not_for_long(void **state)
{
	struct net *n = *state;
	uint64_t begin = clock_now();

	send_to(n, &n->a, 2, 1);
	send_to(n, &n->c, 2, 3);
	while (n->a.ep->hold.by || n->c.ep->hold.by)
		assert_int_equal(loop_run_once(n->sw.loop, 1000), 0);
	assert_true(clock_now() - begin < 500 * NS_PER_MSEC);
	assert_int_equal(n->a.resumed + n->c.resumed, 2);
	/* Not again: not before b has taken everything, or much. */
	send_to(n, &n->a, 2, 1);
	assert_null(n->a.ep->hold.by);
	n->b.takes = 1;
	endpoint_flush_queue(&n->sw, n->b.ep);
	send_to(n, &n->a, 2, 1);
	assert_null(n->a.ep->hold.by);
	n->b.ep->queue.taken += 1 << 20;
	send_to(n, &n->a, 2, 1);
	assert_non_null(n->a.ep->hold.by);
	n->b.takes = -1;
	endpoint_flush_queue(&n->sw, n->b.ep);
	n->b.takes = 0;
	send_to(n, &n->a, 2, 1);
	assert_non_null(n->a.ep->hold.by);
	hold_end(&n->sw, n->a.ep);
	assert_int_equal(n->a.resumed, 3);
}

static void they_go(void **state)
{
	struct net *n = *state;

	send_to(n, &n->a, 2, 1);
	send_to(n, &n->c, 2, 3);
	endpoint_close(&n->sw, n->a.ep); /* one that is held */
	assert_ptr_equal(n->c.ep->hold.by, n->b.ep);
	endpoint_close(&n->sw, n->b.ep); /* the one that is waited for */
	assert_null(n->c.ep->hold.by);
	assert_int_equal(n->c.resumed, 1);
}

/* In a hub nobody is known. */
static void hub(void **state)
{
	struct net *n = *state;

	n->sw.hub = true;
	send_to(n, &n->a, 2, 1);
	assert_int_equal(n->b.ep->queue.frames, 1);
	assert_null(n->a.ep->hold.by);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_sender_is_held, net_start, net_done),
		cmocka_unit_test_setup_teardown(not_for_long, net_start, net_done),
		cmocka_unit_test_setup_teardown(they_go, net_start, net_done),
		cmocka_unit_test_setup_teardown(hub, net_start, net_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
