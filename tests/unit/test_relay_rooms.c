/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay between ends that tell of room by their input, as networks with rings do. The ends are
 * the test's own: a pipe is their descriptor, and frames are numbers.
 */
#include "test.h"

#include <fcntl.h>

#include "vde/programs/relay.h"

#define FEATURES UINT64_C(7)

struct fake {
	struct relay_end end;
	int bell;         /* what is written there makes the end readable */
	unsigned waiting; /* frames that it has to give */
	size_t len;       /* of each */
	unsigned room;    /* frames that it takes */
	unsigned taken;
	uint64_t offered;
	struct vnet_header vnet; /* of the last one taken */
};

static uint8_t frame[65550];

static int fake_next(struct relay_end *end, struct relay_frame *ret)
{
	struct fake *fake = container_of(end, struct fake, end);
	char signals[16];

	if (fake->waiting == 0) {
		(void)!read(end->in_fd, signals, sizeof(signals));
		return 0;
	}
	fake->waiting--;
	*ret = (struct relay_frame){ .data = frame, .len = fake->len };
	if (fake->len > 10000)
		ret->vnet = (struct vnet_header){ .gso_type = VNET_GSO_TCPV4, .hdr_len = 54, .gso_size = 1000 };
	return 1;
}

static int fake_send(struct relay_end *end, const struct relay_frame *sent)
{
	struct fake *fake = container_of(end, struct fake, end);

	if (fake->room == 0)
		return -EAGAIN;
	fake->room--;
	fake->taken++;
	fake->vnet = sent->vnet;
	return 0;
}

static void fake_offer(struct relay_end *end, uint64_t features)
{
	container_of(end, struct fake, end)->offered = features;
}

static void fake_free(struct relay_end *end)
{
	struct fake *fake = container_of(end, struct fake, end);

	(void)close(fake->end.in_fd);
	(void)close(fake->bell);
	free(fake);
}

static const struct relay_end_class fake_class = {
	.name = "fake", .next = fake_next, .offer = fake_offer, .send = fake_send, .free = fake_free,
};

static struct fake *fake_new(uint64_t takes)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	int fds[2];

	assert_non_null(fake);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	fake->bell = fds[1];
	fake->len = 100;
	fake->end = (struct relay_end){
		.class = &fake_class, .title = "fake", .in_fd = fds[0], .out_fd = fds[0], .gone_fd = -1,
		.takes = takes, .room_by_input = true,
	};
	return fake;
}

static void ring(struct fake *fake)
{
	assert_int_equal(write(fake->bell, "", 1), 1);
}

struct lab {
	struct loop *loop;
	struct relay *relay;
	struct fake *left, *right;
};

static void lab_ended(void *context, struct relay *relay, struct relay_end *end, int reason)
{
	(void)context;
	(void)relay;
	(void)end;
	fail_msg("an end is gone: %d", reason);
}

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	assert_non_null(lab);
	lab->left = fake_new(0);
	lab->right = fake_new(FEATURES);
	assert_int_equal(loop_new(&lab->loop), 0);
	assert_int_equal(relay_new(lab->loop, &lab->left->end, &lab->right->end, lab_ended, NULL,
				   &lab->relay), 0);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	relay_free(lab->relay);
	loop_free(lab->loop);
	free(lab);
	return 0;
}

static void turns(struct lab *lab, int count)
{
	while (count-- > 0)
		assert_int_equal(loop_run_once(lab->loop, 0), 0);
}

/* Each end learns what the other one takes. */
static void offers(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab->left->offered, FEATURES);
	assert_int_equal(lab->right->offered, 0);
}

/* Super-frames pass as they are, and count as what they are on the wire. */
static void super_frames(void **state)
{
	struct lab *lab = *state;

	lab->left->len = 54 + 40500;
	lab->left->waiting = 2;
	lab->right->room = 10;
	ring(lab->left);
	turns(lab, 3);
	assert_int_equal(lab->right->taken, 2);
	assert_int_equal(lab->right->vnet.gso_size, 1000);
	assert_int_equal(lab->right->end.counters.frames_out, 2 * 41);
	assert_int_equal(lab->left->end.counters.frames_in, 2 * 41);
	assert_int_equal(lab->left->end.counters.bytes_in, 2 * (54 + 40500));
}

/* Large frames do not keep the other direction waiting for a whole turn of many. */
static void turns_are_bounded(void **state)
{
	struct lab *lab = *state;

	lab->left->len = 60000;
	lab->left->waiting = 200;
	lab->right->room = 1000;
	ring(lab->left);
	turns(lab, 1);
	assert_in_range(lab->right->taken, 5, 20);
	turns(lab, 60);
	assert_int_equal(lab->right->taken, 200);
}

/* A full end has room when its input says so. Nothing is lost, and nothing is asked in vain. */
static void room_by_input(void **state)
{
	struct lab *lab = *state;

	lab->left->waiting = 5;
	lab->right->room = 2;
	ring(lab->left);
	turns(lab, 3);
	assert_int_equal(lab->right->taken, 2);
	lab->right->room = 10;
	turns(lab, 3);
	assert_int_equal(lab->right->taken, 2);
	ring(lab->right);
	turns(lab, 3);
	assert_int_equal(lab->right->taken, 5);
}

/* Both are full, and neither can be asked, since both have frames that nobody takes: time helps. */
static void both_full(void **state)
{
	struct lab *lab = *state;
	uint64_t deadline = clock_now() + 10 * NS_PER_SEC;

	lab->left->waiting = lab->right->waiting = 5;
	ring(lab->left);
	ring(lab->right);
	turns(lab, 3);
	assert_true(lab->left->end.held && lab->right->end.held);
	assert_int_equal(lab->left->taken + lab->right->taken, 0);
	lab->left->room = lab->right->room = 10;
	while (lab->left->taken + lab->right->taken < 10 && clock_now() < deadline)
		assert_int_equal(loop_run_once(lab->loop, 10), 0);
	assert_int_equal(lab->left->taken, 5);
	assert_int_equal(lab->right->taken, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(offers, setup, teardown),
		cmocka_unit_test_setup_teardown(super_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(turns_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(room_by_input, setup, teardown),
		cmocka_unit_test_setup_teardown(both_full, setup, teardown),
	};

	return RUN_TESTS(tests);
}
