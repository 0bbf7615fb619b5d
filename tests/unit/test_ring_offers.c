/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ring_port_join() and servers that send what they should not, or die before they do. */
#include "ring_scene.h"

#include <sys/eventfd.h>
#include <sys/mman.h>

#define WRONG_FDS 6

struct offer {
	struct vde_ring_message_parts parts;
	int fds[WRONG_FDS]; /* memory, ring, bell, more; -1: not sent; closed after it */
	uint8_t version;
};

static void replace(struct offer *o, int which, int fd)
{
	assert_true(fd >= 0);
	cleanup_close(&o->fds[which]);
	o->fds[which] = fd;
}

static int memory(off_t size, unsigned seals)
{
	int fd = memfd_create("unit", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static void no_fds(struct offer *o)
{
	for (int i = 0; i < 3; i++)
		cleanup_close(&o->fds[i]), o->fds[i] = -1;
}

static void two_fds(struct offer *o)
{
	cleanup_close(&o->fds[2]);
	o->fds[2] = -1;
}

static void four_fds(struct offer *o)
{
	o->fds[3] = eventfd(0, EFD_CLOEXEC);
}

static void six_fds(struct offer *o)
{
	for (int i = 3; i < 6; i++)
		o->fds[i] = eventfd(0, EFD_CLOEXEC);
}

static void exchanged(struct offer *o)
{
	int fd = o->fds[1];

	o->fds[1] = o->fds[2];
	o->fds[2] = fd;
}

static void unsealed(struct offer *o)
{
	replace(o, 0, memory(1 << 20, 0));
}

static void can_shrink(struct offer *o)
{
	replace(o, 0, memory(1 << 20, F_SEAL_GROW | F_SEAL_SEAL));
}

static void can_be_sealed(struct offer *o)
{
	replace(o, 0, memory(1 << 20, F_SEAL_SHRINK | F_SEAL_GROW));
}

static void too_short(struct offer *o)
{
	replace(o, 0, memory((off_t)o->parts.offsets[1] + sizes[1] - 1, ALL_SEALS));
}

static void empty_memory(struct offer *o)
{
	replace(o, 0, memory(0, ALL_SEALS));
}

static void huge_memory(struct offer *o)
{
	replace(o, 0, memory((off_t)1 << 40, ALL_SEALS));
}

static void not_writable(struct offer *o)
{
	replace(o, 0, memory(1 << 20, ALL_SEALS | F_SEAL_WRITE));
}

static void read_only(struct offer *o)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", o->fds[0]);
	replace(o, 0, open(path, O_RDONLY | O_CLOEXEC));
}

static void a_file(struct offer *o)
{
	FILE *file = tmpfile();

	assert_int_equal(ftruncate(fileno(file), 1 << 20), 0);
	replace(o, 0, fcntl(fileno(file), F_DUPFD_CLOEXEC, 0));
	(void)fclose(file);
}

static void a_device(struct offer *o)
{
	replace(o, 0, open("/dev/zero", O_RDWR | O_CLOEXEC));
}

static void bell_eventfd(struct offer *o)
{
	replace(o, 1, eventfd(0, EFD_CLOEXEC));
}

static void bell_socket(struct offer *o)
{
	replace(o, 2, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void bell_file(struct offer *o)
{
	replace(o, 1, open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static void offset_0(struct offer *o)
{
	o->parts.offsets[0] = 0;
}

static void offset_odd(struct offer *o)
{
	o->parts.offsets[0] += 8;
}

static void offset_far(struct offer *o)
{
	o->parts.offsets[1] = UINT64_MAX - 65535;
}

static void offset_behind(struct offer *o)
{
	o->parts.offsets[1] += 65536;
}

static void overlapping(struct offer *o)
{
	o->parts.offsets[1] = o->parts.offsets[0];
}

static void half_overlapping(struct offer *o)
{
	o->parts.offsets[0] = o->parts.offsets[1] + 65536;
}

static void size_0(struct offer *o)
{
	o->parts.sizes[0] = 0;
}

static void size_small(struct offer *o)
{
	o->parts.sizes[1] = 4096;
}

static void size_odd(struct offer *o)
{
	o->parts.sizes[1] = 65537;
}

static void size_large(struct offer *o)
{
	o->parts.sizes[0] = 1u << 31;
}

static void queues(struct offer *o)
{
	o->parts.queue_pairs = 2;
}

static void tiny_frames(struct offer *o)
{
	o->parts.max_frame = 59;
}

static void no_csum(struct offer *o)
{
	o->parts.required = VDE_RING_F_TSO4;
}

static void a_hello(struct offer *o)
{
	o->parts.message = VDE_RING_HELLO;
}

static void a_refusal(struct offer *o)
{
	o->parts.message = VDE_RING_REFUSAL;
	o->parts.error = EBUSY;
}

static void version_2(struct offer *o)
{
	o->version = 2;
}

static void as_it_should_be(struct offer *o)
{
	(void)o;
}

static void send_offer(int fd, struct offer *o)
{
	struct strbuf out CLEANUP(strbuf_done) = { 0 };
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(WRONG_FDS * sizeof(int))];
	} control = { 0 };
	size_t count = 0;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };

	for (size_t i = 0; i < WRONG_FDS; i++)
		if (o->fds[i] >= 0)
			memcpy(CMSG_DATA(&control.align) + count++ * sizeof(int), &o->fds[i],
			       sizeof(int));
	control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
					  .cmsg_len = CMSG_LEN(count * sizeof(int)) };
	msg.msg_controllen = count ? CMSG_SPACE(count * sizeof(int)) : 0;
	vde_ring_build(&o->parts, &out);
	out.data[8] = (char)o->version;
	iov = (struct iovec){ .iov_base = out.data, .iov_len = out.len };
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), out.len);
}

static void serve_wrongly(struct scene *s, int fd)
{
	void (*const *spoil)(struct offer *o) = s->argument;
	struct ring_port_client_fds client;
	struct vde_ring_message_parts parts;
	struct offer o = { .version = 1 };

	await_hello(fd, &parts);
	assert_int_equal(ring_port_make(&s->server, sizes, &client), 0);
	o.parts = (struct vde_ring_message_parts){ .message = VDE_RING_WELCOME, .queue_pairs = 1,
						   .required = 1, .max_frame = 1514 };
	for (int i = 0; i < 2; i++)
		o.parts.sizes[i] = sizes[i];
	o.parts.offsets[0] = (uint64_t)(s->server.in.data - (uint8_t *)s->server.memory);
	o.parts.offsets[1] = (uint64_t)(s->server.out.data - (uint8_t *)s->server.memory);
	memcpy(o.fds, (int[]){ client.memory_fd, client.ring_fd, client.bell_fd, -1, -1, -1 },
	       sizeof(o.fds));
	(*spoil)(&o);
	send_offer(fd, &o);
	for (size_t i = 0; i < WRONG_FDS; i++)
		cleanup_close(&o.fds[i]);
}

static void wrong_offers(void **state)
{
	static const struct {
		void (*spoil)(struct offer *o);
		int result;
	} rows[] = {
		{ as_it_should_be, 0 },
		{ no_fds, -EPROTO }, { two_fds, -EPROTO }, { four_fds, -EPROTO },
		{ six_fds, -EBADMSG }, { exchanged, -EPROTO },
		{ unsealed, -EPROTO }, { can_shrink, -EPROTO }, { can_be_sealed, -EPROTO },
		{ too_short, -EPROTO }, { empty_memory, -EPROTO }, { huge_memory, -EPROTO },
		{ not_writable, -EPERM }, { read_only, -EACCES },
		{ a_file, -EPROTO }, { a_device, -EPROTO },
		{ bell_eventfd, -EPROTO }, { bell_socket, -EPROTO }, { bell_file, -EPROTO },
		{ offset_0, -EPROTO }, { offset_odd, -EPROTO }, { offset_far, -EPROTO },
		{ offset_behind, -EPROTO }, { overlapping, -EPROTO }, { half_overlapping, -EPROTO },
		{ size_0, -EPROTO }, { size_small, -EPROTO }, { size_odd, -EPROTO },
		{ size_large, -EPROTO },
		{ queues, -EPROTO }, { tiny_frames, -EPROTO }, { no_csum, -EPROTO },
		{ a_hello, -EPROTO }, { a_refusal, -EBUSY }, { version_2, -EPROTONOSUPPORT },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t fds = open_fds();
		struct ring_port rp;
		struct error error;
		int r;

		start(s, serve_wrongly, &rows[i].spoil);
		r = join(s, &rp, &error);
		if (r != rows[i].result)
			fail_msg("row %zu: %d, %s", i, r, error.text);
		if (r < 0)
			assert_null(rp.memory);
		ring_port_done(&s->server);
		ring_port_done(&rp);
		assert_int_equal(open_fds(), fds);
	}
}

struct answer {
	bool reads;
	const char *bytes;
	size_t len;
	int result;
};

static void serve_bytes(struct scene *s, int fd)
{
	const struct answer *answer = s->argument;
	struct vde_ring_message_parts parts;

	if (answer->reads)
		await_hello(fd, &parts);
	if (answer->bytes)
		assert_int_equal(send(fd, answer->bytes, answer->len, MSG_NOSIGNAL), answer->len);
}

static void dies_early(void **state)
{
	static const char long_answer[VDE_RING_MAX + 1] = "VDER";
	static const struct answer answers[] = {
		{ false, NULL, 0, -ECONNRESET },
		{ true, NULL, 0, -ECONNRESET },
		{ true, "", 0, -ECONNRESET }, /* an empty message */
		{ true, "V", 1, -EBADMSG },
		{ true, "VDER\x20\0\0\0\1\0\2\0", 12, -EBADMSG },
		{ false, "1000 Success", 12, -EBADMSG },
		{ true, long_answer, sizeof(long_answer), -EBADMSG },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct ring_port rp;
		struct error error;
		int r;

		start(s, serve_bytes, &answers[i]);
		r = join(s, &rp, &error);
		if (r != answers[i].result)
			fail_msg("row %zu: %d, %s", i, r, error.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(wrong_offers),
		SCENE(dies_early),
	};

	return RUN_TESTS(tests);
}
