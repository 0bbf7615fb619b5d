/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A switch is packed, and unpacked into a second one, which is packed again: both say the same, message
 * by message. The script is compared as well, which is what the console could tell.
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "fake_switch.h"
#include "vde/switch/console.h"
#include "vde/switch/control.h"
#include "vde/switch/mactable.h"
#include "vde/switch/plug_dgram.h"
#include "vde/switch/plug_ring.h"
#include "vde/switch/stp.h"
#include "vde/switch/stp_engine.h"
#include "vde/switch/takeover.h"
#include "vde/switch/vlan.h"

#define MESSAGES_MAX 256

/* What one takeover_pack() has sent. */
struct packed {
	struct takeover_message messages[MESSAGES_MAX];
	unsigned count;
};

static void packed_done(struct packed *packed)
{
	for (unsigned i = 0; i < packed->count; i++)
		takeover_message_done(&packed->messages[i]);
	packed->count = 0;
}

struct receiver {
	struct takeover_link link;
	struct packed *packed;
};

static void *receive_all(void *context)
{
	struct receiver *r = context;
	struct packed *packed = r->packed;

	while (packed->count < MESSAGES_MAX &&
	       takeover_receive(&r->link, &packed->messages[packed->count]) == 0)
		packed->count++;
	return NULL;
}

/* A thread receives meanwhile: how much waits in a socket depends on who one is. */
static void pack(const struct vde_switch *sw, struct packed *packed)
{
	struct takeover_link from = { .deadline = clock_now() + 60 * NS_PER_SEC };
	struct receiver receiver = { .link = from, .packed = packed };
	struct error error = { 0 };
	pthread_t thread;
	int fds[2], r;

	packed->count = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	from.fd = fds[0];
	receiver.link.fd = fds[1];
	assert_int_equal(pthread_create(&thread, NULL, receive_all, &receiver), 0);
	r = takeover_pack(sw, &from, &error);
	(void)close(fds[0]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(fds[1]);
	if (r < 0)
		fail_msg("%s", error_text(&error));
	assert_true(packed->count < MESSAGES_MAX);
}

static struct takeover_message *packed_find(struct packed *packed, uint16_t kind)
{
	for (unsigned i = 0; i < packed->count; i++)
		if (packed->messages[i].kind == kind)
			return &packed->messages[i];
	fail_msg("no message of kind %u", kind);
	return NULL;
}

static void assert_same(const struct packed *a, const struct packed *b)
{
	assert_int_equal(a->count, b->count);
	for (unsigned i = 0; i < a->count; i++) {
		assert_int_equal(a->messages[i].kind, b->messages[i].kind);
		assert_int_equal(a->messages[i].num_fds, b->messages[i].num_fds);
		assert_int_equal(a->messages[i].items.len, b->messages[i].items.len);
		assert_memory_equal(a->messages[i].items.data, b->messages[i].items.data,
				    a->messages[i].items.len);
	}
}

struct fixture {
	struct vde_switch old, new;
	struct packed first, second;
	char dir[64], sock[80];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->sock, sizeof(f->sock), "%s/net", test_directory(f->dir));
	f->old.settings.dir = f->sock;
	f->old.settings.mode = 0600;
	f->old.settings.dir_mode = 0700;
	fake_switch_init(&f->old);
	assert_int_equal(control_open(&f->old, NULL), 0);
	assert_int_equal(console_prepare(&f->old), 0);
	fake_switch_init(&f->new);
	f->new.start = f->old.start;
	f->new.dir = strdup(f->old.dir);
	assert_int_equal(control_adopt(&f->new, (gid_t)-1, true), 0);
	assert_int_equal(console_prepare(&f->new), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	packed_done(&f->first);
	packed_done(&f->second);
	switch_done(&f->new);
	switch_done(&f->old);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void command(struct vde_switch *sw, const char *line)
{
	auto_strbuf struct strbuf out = { 0 };

	if (console_run_line(sw, NULL, line, &out) < 0)
		fail_msg("%s: %s", line, strbuf_text(&out));
}

/* A plug of the old protocol, made by hand. Its ends are *ret_data and *ret_control. */
static struct endpoint *add_plug(struct vde_switch *sw, unsigned number, int id, int *ret_data,
				 int *ret_control)
{
	const struct port_client client = { .uid = 17 };
	struct endpoint common = { .id = id, .user = 17, .data_events = EPOLLIN };
	struct endpoint *ep;
	struct port *port;
	int data[2], control[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, data), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control), 0);
	common.data_fd = data[0];
	common.control_fd = control[0];
	*ret_data = data[1];
	*ret_control = control[1];
	(void)str_copy(common.descr, sizeof(common.descr), "a plug");
	assert_int_equal(plug_dgram_class.unpack(sw, &common, NULL, &ep), 0);
	assert_int_equal(port_acquire(sw, number, false, &client, &port), 0);
	endpoint_attach(sw, port, ep);
	return ep;
}

/* Unpacks the first packing into the new switch, and packs that. */
static void pass(struct fixture *f)
{
	struct takeover_unpack u = { 0 };
	struct error error = { 0 };

	pack(&f->old, &f->first);
	for (unsigned i = 0; i < f->first.count; i++)
		if (takeover_unpack(&f->new, &u, &f->first.messages[i], &error) < 0)
			fail_msg("message %u: %s", i, error_text(&error));
	assert_true(control_complete(&f->new));
	pack(&f->new, &f->second);
	assert_same(&f->first, &f->second);
}

static void nothing_but_defaults(void **state)
{
	pass(*state);
}

static const char *const settings[] = {
	"port/setnumports 100", "hash/setsize 64", "hash/setgcint 7", "hash/setexpire 1234",
	"hash/setminper 0",     "vlan/create 5",   "vlan/create 4094", "port/create 0",
	"port/create 3",        "port/create 100", "port/allocatable 3 1", "port/setvlan 3 5",
	"port/setvlan 100 4095", "port/setuser 3 1000", "port/setgroup 3 100", "vlan/addport 5 100",
	"vlan/addport 4094 3",  "vlan/addport 0 3", "fstp/bonus 5 100 -7", "fstp/setedge 5 3 1",
	"fstp/setedge 4094 77 1",
};

static void everything_the_console_sets(void **state)
{
	struct fixture *f = *state;
	auto_strbuf struct strbuf before = { 0 }, after = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		command(&f->old, settings[i]);
	pass(f);
	takeover_script(&f->old, &before);
	takeover_script(&f->new, &after);
	assert_string_equal(strbuf_text(&before), strbuf_text(&after));
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) /* all of them are in it, but what was asked */
		if (!strstr(settings[i], "vlan/addport 0"))
			assert_non_null(strstr(strbuf_text(&before), settings[i]));
	assert_int_equal(port_find(&f->new, 3)->access_user, 1000);
	assert_int_equal(port_find(&f->new, 100)->untagged_vlan, VLAN_NONE);
	assert_true(vlan_has_port(vlan_find(&f->new, 5), 100));
}

static void a_hub(void **state)
{
	struct fixture *f = *state;

	command(&f->old, "port/sethub 1");
	pass(f);
	assert_true(f->new.hub);
}

/* More lines than a message takes. */
static void a_long_script(void **state)
{
	struct fixture *f = *state;
	char line[64];

	for (int id = 1; id <= VLAN_MAX; id++) {
		(void)snprintf(line, sizeof(line), "vlan/create %d", id);
		command(&f->old, line);
	}
	for (int id = 201; id <= VLAN_MAX; id++)
		assert_int_equal(vlan_remove(&f->old, id), 0);
	for (int number = 1; number <= 32; number++)
		assert_int_equal(port_create(&f->old, (unsigned)number, false, NULL), 0);
	for (int id = 1; id <= 100; id++)
		for (int number = 1; number <= 32; number++)
			assert_int_equal(vlan_add_port(&f->old, id, number), 0);
	pass(f);
	assert_int_equal(f->first.messages[1].kind, TAKEOVER_SCRIPT);
}

static void counters(void **state)
{
	struct fixture *f = *state;
	struct counters *c;

	command(&f->old, "port/create 2");
	command(&f->old, "vlan/create 9");
	c = &port_find(&f->old, 2)->counters;
	c->in = (struct traffic){ 1, UINT64_MAX };
	c->out = (struct traffic){ 1000000007, 12 };
	for (int reason = 0; reason < DROP_NUM_REASONS; reason++)
		c->drops[reason] = (uint64_t)reason * 3;
	vlan_find(&f->old, 9)->counters.drops[DROP_STATE] = 4;
	pass(f);
	assert_memory_equal(&port_find(&f->new, 2)->counters, c, sizeof(*c));
	assert_memory_equal(&vlan_find(&f->new, 9)->counters, &vlan_find(&f->old, 9)->counters,
			    sizeof(*c));
}

static void addresses(void **state)
{
	struct fixture *f = *state;
	uint16_t old_port;

	command(&f->old, "port/create 1");
	f->old.macs->not_learned = 5;
	f->old.macs->seed = 1; /* no addresses that wrap around the table: they may change places */
	for (uint8_t i = 0; i < 40; i++)
		assert_int_equal(mac_table_learn(f->old.macs, (uint8_t[]){ 2, 0, 0, 0, 0, i }, i % 2, 1,
						 i, &old_port), MAC_NEW);
	pass(f);
	assert_int_equal(f->new.macs->count, 40);
	assert_int_equal(f->new.macs->per_port[1], 40);
	assert_int_equal(f->new.macs->not_learned, 5);
	assert_int_equal(mac_table_find(f->new.macs, (uint8_t[]){ 2, 0, 0, 0, 0, 7 }, 1, 7)->seen, 7);
}

/* Frames that wait, of all sizes, in the order in which they came. */
static void endpoints_and_queues(void **state)
{
	static uint8_t frame[OUTQ_FRAME_MAX];
	struct fixture *f = *state;
	int data, control, data2, control2;
	struct endpoint *ep = add_plug(&f->old, 4, 1234, &data, &control), *got;
	struct outq_place place = { 0 };
	struct iovec at;
	unsigned count = 0;

	(void)add_plug(&f->old, 4, 99, &data2, &control2);
	ep->path = strdup("/nowhere/004.1234");
	ep->max_out = 1600;
	ep->takes = 3;
	ep->counters.drops[DROP_REFUSED] = 8;
	for (unsigned i = 0; i < 40; i++) {
		memset(frame, (int)i, sizeof(frame));
		endpoint_requeue(&f->old, ep, frame, i == 20 ? OUTQ_FRAME_MAX : 14 + i * 10);
	}
	pass(f);
	got = endpoint_find(port_find(&f->new, 4), 1234);
	assert_non_null(got);
	assert_ptr_equal(got->next_on_port, endpoint_find(port_find(&f->new, 4), 99));
	assert_int_equal(got->user, 17);
	assert_string_equal(got->descr, "a plug");
	assert_string_equal(got->path, "/nowhere/004.1234");
	assert_int_equal(got->counters.drops[DROP_REFUSED], 8);
	assert_int_equal(got->data_events, EPOLLIN | EPOLLOUT);
	for (; outq_next(&got->queue, &place, &at); count++) {
		assert_int_equal(at.iov_len, count == 20 ? OUTQ_FRAME_MAX : 14 + count * 10);
		assert_int_equal(*(uint8_t *)at.iov_base, count);
	}
	assert_int_equal(count, 40);
	/* A descriptor of the new process that is another's id. */
	f->new.took_over = true;
	assert_int_equal(endpoint_new_id(&f->new, 5), 5);
	assert_int_equal(endpoint_new_id(&f->new, 99), 1235);
	(void)close(data);
	(void)close(control);
	(void)close(data2);
	(void)close(control2);
}

/* It writes through the same descriptor. */
static void an_endpoint_works(void **state)
{
	struct fixture *f = *state;
	struct endpoint *ep;
	int data, control;
	char text[64];

	(void)add_plug(&f->old, 4, 7, &data, &control);
	pass(f);
	ep = endpoint_find(port_find(&f->new, 4), 7);
	assert_int_not_equal(ep->data_fd, endpoint_find(port_find(&f->old, 4), 7)->data_fd);
	endpoint_send(&f->new, ep, "fourteen bytes", 14);
	assert_int_equal(recv(data, text, sizeof(text), MSG_DONTWAIT), 14);
	(void)close(data);
	(void)close(control);
}

static void a_tree(void **state)
{
	struct fixture *f = *state;
	int data, control;
	const struct stp_port *port;

	command(&f->old, "vlan/create 5");
	assert_int_equal(stp_set_edge(&f->old, vlan_find(&f->old, 0), 4, true), 0);
	(void)add_plug(&f->old, 4, 7, &data, &control);
	command(&f->old, "fstp/setfstp 1");
	pass(f);
	assert_true(stp_enabled(&f->new));
	port = stp_engine_port(stp_engine_of(&f->new, vlan_find(&f->new, 0)), 4);
	assert_int_equal(port->state, STP_FORWARDING);
	assert_int_equal(vlan_port_state(&f->new, vlan_find(&f->new, 0), 4), PORT_FORWARDING);
	(void)close(data);
	(void)close(control);
}

static int unpack_one(struct fixture *f, struct takeover_message *m, struct error *error)
{
	struct takeover_unpack u = { 0 };

	error->code = 0;
	return takeover_unpack(&f->new, &u, m, error);
}

/* What this program does not know, or cannot make, ends the takeover with a sentence. */
static void strange_messages(void **state)
{
	struct fixture *f = *state;
	auto_takeover_message struct takeover_message m = { 0 };
	struct error error = { 0 };

	takeover_begin(&m, 50);
	assert_int_equal(unpack_one(f, &m, &error), -EPROTONOSUPPORT);
	assert_non_null(strstr(error_text(&error), "newer"));
	takeover_begin(&m, TAKEOVER_ENDPOINT);
	takeover_put_text(&m, ITEM_TRANSPORT, "pigeon");
	assert_int_equal(unpack_one(f, &m, &error), -EOPNOTSUPP);
	takeover_begin(&m, TAKEOVER_ENDPOINT);
	takeover_put_text(&m, ITEM_TRANSPORT, "datagram");
	takeover_put_number(&m, ITEM_NUMBER, 3); /* no such port */
	assert_int_equal(unpack_one(f, &m, &error), -EBADMSG);
	takeover_begin(&m, TAKEOVER_SCRIPT);
	takeover_put_text(&m, ITEM_TEXT, "port/create 1\nport/fly 7\n");
	assert_true(unpack_one(f, &m, &error) < 0);
	assert_non_null(strstr(error_text(&error), "port/fly 7"));
	for (uint16_t kind = 0; kind < 64; kind++) {
		takeover_begin(&m, kind);
		assert_true(unpack_one(f, &m, &error) < 0 || kind == TAKEOVER_CAPTURE);
		assert_int_not_equal(error.code, 0);
	}
}

/* A fake endpoint cannot be passed: the old switch says so, and is as it was. */
static void an_endpoint_that_cannot_pass(void **state)
{
	struct fixture *f = *state;
	struct takeover_link link = { .fd = -1, .deadline = 0 };
	struct error error = { 0 };
	struct fake fake;
	int fds[2];

	fake_attach(&f->old, 3, &fake);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	link.fd = fds[0];
	assert_int_equal(takeover_pack(&f->old, &link, &error), -EOPNOTSUPP);
	assert_non_null(strstr(error_text(&error), "port 3"));
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* A message of the real thing with bytes changed: whatever it says, nothing breaks. */
static void mangled_messages(void **state)
{
	struct fixture *f = *state;
	auto_takeover_message struct takeover_message m = { 0 };
	struct error error = { 0 };
	int data, control;
	uint64_t seed = 9;

	command(&f->old, "vlan/create 5");
	(void)add_plug(&f->old, 4, 7, &data, &control);
	command(&f->old, "fstp/setfstp 1");
	command(&f->new, "vlan/create 5");
	command(&f->new, "port/create 4");
	pack(&f->old, &f->first);
	for (int turn = 0; turn < 3000; turn++) {
		const struct takeover_message *from =
			packed_find(&f->first, turn % 2 ? TAKEOVER_TREE : TAKEOVER_MACS);
		size_t at;

		takeover_begin(&m, from->kind);
		strbuf_append(&m.items, from->items.data, from->items.len);
		at = 8 + test_random(&seed) % (m.items.len - 8); /* the first header stays */
		m.items.data[at] = (char)test_random(&seed);
		(void)unpack_one(f, &m, &error);
	}
	command(&f->new, "fstp/print");
	(void)close(data);
	(void)close(control);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_but_defaults),
		TEST(everything_the_console_sets),
		TEST(a_hub),
		TEST(a_long_script),
		TEST(counters),
		TEST(addresses),
		TEST(endpoints_and_queues),
		TEST(an_endpoint_works),
		TEST(a_tree),
		TEST(strange_messages),
		TEST(an_endpoint_that_cannot_pass),
		TEST(mangled_messages),
	};

	return RUN_TESTS(tests);
}
