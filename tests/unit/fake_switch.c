/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_switch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Which fake an endpoint belongs to: its descriptor tells the slot. */
static struct fake *fakes[64];
static unsigned num_fakes;

static int fake_write(struct endpoint *ep, struct mmsghdr *msgs, unsigned count)
{
	struct fake *fake = fakes[ep->id];
	unsigned i;

	if (fake->refuse) {
		int r = -fake->refuse;

		fake->refuse = 0;
		return r;
	}
	for (i = 0; i < count && fake->takes != 0; i++) {
		const struct msghdr *msg = &msgs[i].msg_hdr;
		size_t at = 0;

		assert_true(fake->count < FAKE_FRAMES);
		for (size_t p = 0; p < msg->msg_iovlen; p++)
			for (size_t b = 0; b < msg->msg_iov[p].iov_len; b++, at++)
				if (at < sizeof(fake->frames[0].data))
					fake->frames[fake->count].data[at] =
						((uint8_t *)msg->msg_iov[p].iov_base)[b];
		assert_int_equal(at, msgs[i].msg_len);
		fake->frames[fake->count++].len = at;
		if (fake->takes > 0)
			fake->takes--;
	}
	return (int)i;
}

static void fake_close(struct vde_switch *sw, struct endpoint *ep)
{
	(void)sw;
	fakes[ep->id]->ep = NULL;
}

static void fake_resume(struct vde_switch *sw, struct endpoint *ep)
{
	(void)sw;
	fakes[ep->id]->resumed++;
}

static const struct endpoint_class fake_class = {
	.module = "fake",
	.transport = "fake",
	.write = fake_write,
	.resume = fake_resume,
	.close = fake_close,
};

static void fake_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	(void)loop;
	(void)object;
	(void)fd;
	(void)events;
}

static const struct loop_class fake_loop_class = { "fake", fake_ready };

void fake_switch_init(struct vde_switch *sw)
{
	struct switch_settings *s = &sw->settings;

	num_fakes = 0;
	s->daemon = (struct daemon)DAEMON_INIT;
	s->num_ports = s->num_ports ? s->num_ports : 32;
	s->hash_size = s->hash_size ? s->hash_size : 128;
	s->max_macs = s->max_macs ? s->max_macs : 100;
	s->queue_size = s->queue_size ? s->queue_size : 1 << 20;
	s->buffer_size = s->buffer_size ? s->buffer_size : 8;
	s->max_frame = s->max_frame ? s->max_frame : 9234;
	s->max_pending = 8;
	s->max_consoles = 8;
	assert_int_equal(loop_new(&sw->loop), 0);
	assert_int_equal(switch_init(sw), 0);
}

void fake_attach(struct vde_switch *sw, unsigned number, struct fake *fake)
{
	const struct port_client client = { .uid = 0 };
	struct endpoint *ep = calloc(1, sizeof(*ep));
	struct port *port;

	assert_non_null(ep);
	assert_int_equal(port_acquire(sw, number, false, &client, &port), 0);
	*ep = (struct endpoint){ .class = &fake_class, .id = (int)num_fakes, .control_fd = -1,
				 .data_fd = eventfd(0, EFD_CLOEXEC), .data_events = EPOLLIN };
	assert_int_equal(loop_add(sw->loop, &fake_loop_class, ep->data_fd, EPOLLIN, ep,
				  &ep->data_ref), 0);
	*fake = (struct fake){ .ep = ep, .takes = -1 };
	fakes[num_fakes++] = fake;
	endpoint_attach(sw, port, ep);
}

void fake_send(struct vde_switch *sw, struct fake *fake, const void *header, size_t header_len,
	       size_t len)
{
	uint8_t *buffer = forward_buffer(sw->forward, 0);
	uint32_t len32 = (uint32_t)len;

	memset(buffer, 0, MIN(len, (size_t)sw->settings.max_frame + 1));
	memcpy(buffer, header, header_len);
	forward_batch(sw, fake->ep, &len32, 1);
}
