/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugs that share rings with the switch (wire/vde_ring.h, base/ring.h).
 *
 * Theory of operation. The switch makes the memory and the doorbells; it never touches a descriptor
 * of the plug's. Frames that the plug has written are taken where they lie: forward.c copies their
 * heads and decides, and the outputs copy the rest to where it goes; only then is the room in the
 * ring given back. So a frame from ring to ring is copied once.
 *
 * What keeps both sides from system calls is that nobody rings who is awake: the switch says that it sleeps
 * on a ring only when it has found it empty. The way to the plug is told in plug_ring_out.c.
 *
 * With --busy-poll the switch stays awake for a while after the last frame and looks at the ring at
 * each turn of the loop, so that neither side makes a system call to wake the other. It stops when the
 * kernel takes the processor away from it: somebody else wants it.
 *
 * Memory. A burst touches the pages of a ring; when a ring has been empty for a while they are given
 * back (trim()). The timer for that runs only while some ring has been used since.
 */
#include "vde/switch/plug_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "vde/switch/control.h"
#include "vde/switch/forward.h"
#include "vde/switch/plug_ring_internal.h"
#include "vde/switch/takeover_message.h"

#define BATCHES_A_TURN 32
#define BATCH_BYTES    (256 * 1024) /* of frames that are taken together */
#define BATCH_RECORDS  1024	    /* the same, with records that are no frames */
#define TRIM_INTERVAL  (2 * NS_PER_SEC)
#define HEAR_EVERY     (1 * NS_PER_MSEC)
#define HEAR_TIMES     16 /* 4096 signals each: a pipe has no more */
#define FEATURES       VDE_RING_F_ALL
#define SPIN_LOOK      (100 * NS_PER_USEC) /* between two looks whether somebody wants the processor */
#define SPIN_REST      (20 * NS_PER_MSEC)  /* without spinning, when somebody does */

int plug_rings_new(struct vde_switch *sw)
{
	sw->rings = calloc(1, sizeof(*sw->rings));
	return sw->rings ? 0 : -ENOMEM;
}

void plug_rings_free(struct vde_switch *sw)
{
	if (!sw->rings)
		return;
	loop_timer_cancel(sw->loop, &sw->rings->trim);
	loop_task_cancel(sw->loop, &sw->rings->bells);
	free(sw->rings);
	sw->rings = NULL;
}

/* --- memory ------------------------------------------------------------------------------ */

static void plug_trim(struct plug_ring *plug)
{
	(void)ring_punch(&plug->rp.in); /* not empty: at the next look */
	if (ring_release(&plug->rp.in)) /* the plug wanted to write meanwhile, and waits */
		ring_port_ring(&plug->rp);
	(void)ring_producer_punch(&plug->rp.out);
}

static bool plug_is_empty(struct plug_ring *plug)
{
	return ring_consumer_empty(&plug->rp.in) && ring_producer_empty(&plug->rp.out);
}

/* Those that were silent for a whole interval, with empty rings, are trimmed and leave the list. */
static void rings_trim(struct loop *loop, struct loop_timer *timer)
{
	struct plug_rings *rings = container_of(timer, struct plug_rings, trim);
	struct plug_ring **at = &rings->used;

	while (*at) {
		struct plug_ring *plug = *at;

		if (!plug->busy && plug_is_empty(plug)) {
			plug_trim(plug);
			plug->used = false;
			*at = plug->next_used;
			continue;
		}
		plug->busy = false;
		at = &plug->next_used;
	}
	if (rings->used)
		(void)loop_timer_set(loop, timer, loop_now(loop) + TRIM_INTERVAL);
}

void plug_ring_used(struct vde_switch *sw, struct plug_ring *plug)
{
	struct plug_rings *rings = sw->rings;

	plug->busy = true;
	if (plug->used)
		return;
	plug->used = true;
	plug->next_used = rings->used;
	rings->used = plug;
	if (!loop_timer_armed(&rings->trim)) {
		rings->trim.fire = rings_trim;
		(void)loop_timer_set(sw->loop, &rings->trim, /* without memory: at a later frame */
				     loop_now(sw->loop) + TRIM_INTERVAL);
	}
}

static void plug_unlink_used(struct vde_switch *sw, struct plug_ring *plug)
{
	struct plug_ring **at = &sw->rings->used;

	while (*at && *at != plug)
		at = &(*at)->next_used;
	if (*at)
		*at = plug->next_used;
	plug->used = false;
}

static void plug_close(struct vde_switch *sw, struct endpoint *ep)
{
	struct plug_ring *plug = plug_of(ep);

	loop_task_cancel(sw->loop, &plug->again);
	plug_unlink_used(sw, plug);
	plug_ring_unlink_asleep(plug);
	/* The descriptors are closed by endpoint_close(); memory and the rest go here. */
	plug->rp.control_fd = plug->rp.bell_fd = -1;
	ring_port_done(&plug->rp);
}

/* --- input ------------------------------------------------------------------------------- */

/* The plug has something to say: what it takes from now on. */
static void plug_notice(struct plug_ring *plug, const uint8_t *record, uint32_t len)
{
	struct cursor c = cursor_of(record, len);
	struct vde_ring_notice notice;

	if (cursor_copy(&c, &notice, sizeof(notice)) && notice.kind == VDE_RING_NOTICE_FEATURES)
		plug->ep.takes = notice.value & FEATURES;
}

/* Puts one record's frame into the batch; false: it is none, or is dropped. */
static bool plug_take_frame(struct vde_switch *sw, struct plug_ring *plug, unsigned i,
			   const uint8_t *record, uint32_t len)
{
	struct cursor c = cursor_of(record, len);
	struct vde_ring_frame lead;

	if (!cursor_copy(&c, &lead, sizeof(lead)))
		return false;
	if (forward_put(sw->forward, i, c.at, (uint32_t)c.left, &lead.vnet) == 0)
		return true;
	plug->ep.counters.drops[DROP_OFFLOAD]++;
	plug->ep.port->counters.drops[DROP_OFFLOAD]++;
	return false;
}

/* Takes one batch; returns how many records there were. */
static unsigned plug_read_batch(struct vde_switch *sw, struct plug_ring *plug)
{
	struct ring_consumer *in = &plug->rp.in;
	unsigned count = 0, records = 0;
	size_t bytes = 0;

	while (count < FORWARD_BATCH && records < BATCH_RECORDS && bytes < BATCH_BYTES) {
		const uint8_t *record;
		uint32_t len;
		uint16_t type;

		record = ring_next(in, &len, &type);
		if (!record)
			break;
		ring_consume(in, len);
		records++;
		bytes += len;
		if (type == RING_FRAME)
			count += plug_take_frame(sw, plug, count, record, len);
		else if (type == RING_NOTICE)
			plug_notice(plug, record, len);
	}
	if (count)
		forward_frames(sw, &plug->ep, count);
	if (!plug->ep.gone && ring_release(in))
		ring_port_ring(&plug->rp);
	return records;
}

static void plug_broken(struct vde_switch *sw, struct plug_ring *plug)
{
	if (log_limit_pass(&sw->rings->complaints, loop_now(sw->loop)))
		log_warning("port %u: '%s' has written nonsense into its ring: closed",
			    plug->ep.port->number, plug->ep.descr);
	endpoint_close(sw, &plug->ep);
}

/* Whether the kernel has taken the processor away since the last look. */
static bool rings_preempted(struct plug_rings *rings)
{
	struct rusage usage;
	bool preempted;

	if (getrusage(RUSAGE_THREAD, &usage) < 0)
		return true;
	preempted = usage.ru_nivcsw != rings->preempted;
	rings->preempted = usage.ru_nivcsw;
	return preempted;
}

/* True while PLUG, whose ring is empty, is to be looked at again without sleeping. */
static bool plug_spins(const struct vde_switch *sw, const struct plug_ring *plug)
{
	struct plug_rings *rings = sw->rings;
	uint64_t now = loop_now(sw->loop);

	if (now >= plug->spin_until || now < rings->rest_until)
		return false;
	if (now < rings->look_again)
		return true;
	rings->look_again = now + SPIN_LOOK;
	if (!rings_preempted(rings))
		return true;
	rings->rest_until = now + SPIN_REST;
	return false;
}

/* Takes what is there, up to the share of a turn. True: it sleeps on the ring, or must not come back. */
static bool plug_take_turn(struct vde_switch *sw, struct plug_ring *plug)
{
	for (int i = 0; i < BATCHES_A_TURN; i++) {
		unsigned count;

		if (plug->ep.hold.by)
			return true;
		count = plug_read_batch(sw, plug);
		if (plug->ep.gone)
			return true;
		if (count) {
			plug_ring_used(sw, plug);
			plug->spin_until = loop_now(sw->loop) +
					   (uint64_t)sw->settings.busy_poll * NS_PER_USEC;
			continue;
		}
		if (plug->rp.in.broken || plug->rp.out.broken) {
			plug_broken(sw, plug);
			return true;
		}
		if (plug_spins(sw, plug))
			break;
		if (ring_sleep(&plug->rp.in))
			return true;
	}
	return false;
}

static void plug_drain(struct vde_switch *sw, struct plug_ring *plug)
{
	if (!plug_take_turn(sw, plug))
		loop_task_add(sw->loop, &plug->again);
	plug_rings_ring(sw->rings);
}

static void plug_again(struct loop *loop, struct loop_task *task)
{
	struct plug_ring *plug = container_of(task, struct plug_ring, again);

	(void)loop;
	plug_ring_go_on(plug);
	plug_drain(plug->ep.sw, plug);
}

static void plug_resume_reading(struct vde_switch *sw, struct endpoint *ep)
{
	loop_task_add(sw->loop, &plug_of(ep)->again);
}

/*
 * The bell is edge-triggered: each signal wakes us, also one behind others that were not taken off. So
 * they are taken off now and then only, which saves a system call each time; long before the pipe is full,
 * since then a signal is lost.
 */
static void plug_hear(struct plug_ring *plug)
{
	uint64_t now = loop_now(plug->ep.sw->loop);

	if (now - plug->heard < HEAR_EVERY)
		return;
	plug->heard = now;
	for (int i = 0; i < HEAR_TIMES && ring_port_hear(&plug->rp); i++)
		;
}

/* The plug rings when it has written, when it waits for its bell, and when it likes to. */
static void plug_bell(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct plug_ring *plug = object;

	(void)loop;
	(void)fd;
	if (events & EPOLLIN)
		plug_hear(plug);
	if (events & (EPOLLHUP | EPOLLERR)) /* nobody has its end any more */
		loop_remove(plug->ep.sw->loop, &plug->ep.data_ref);
	plug_ring_go_on(plug);
	plug_ring_used(plug->ep.sw, plug);
	if (ring_ring_again(&plug->rp.out))
		ring_port_ring(&plug->rp);
	plug_drain(plug->ep.sw, plug);
}

static const struct loop_class plug_bell_class = { "ring doorbell", plug_bell };

/* What a plug wrote before it went: at most a ring full, if somebody still writes. */
static void plug_drain_all(struct vde_switch *sw, struct plug_ring *plug)
{
	const uint32_t begin = plug->rp.in.tail;

	while (!plug->ep.gone && plug->rp.in.tail - begin < plug->rp.in.size &&
	       plug_read_batch(sw, plug))
		;
}

static void plug_control(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct plug_ring *plug = object;

	(void)loop;
	(void)events;
	if (!io_connection_ended(fd))
		return;
	plug_drain_all(plug->ep.sw, plug);
	endpoint_close(plug->ep.sw, &plug->ep);
}

static const struct loop_class plug_control_class = { "ring control", plug_control };

/* --- joining ------------------------------------------------------------------------------ */

static int hello_check(const struct vde_ring_message_parts *hello, struct error *error)
{
	if (hello->required & ~(uint64_t)FEATURES)
		return error_set(error, EPROTONOSUPPORT, "the switch lacks a feature that is required");
	if (hello->kind != VDE_RING_KIND_RING)
		return error_set(error, EPROTONOSUPPORT, "the switch has no ports of this kind");
	for (int i = 0; i < 2; i++)
		if (hello->sizes[i] && !ring_size_valid(hello->sizes[i]))
			return error_set(error, EINVAL, "a ring of %u bytes cannot be", hello->sizes[i]);
	return 0;
}

static void ring_sizes(const struct vde_switch *sw, const struct vde_ring_message_parts *hello,
		       uint32_t sizes[2])
{
	for (int i = 0; i < 2; i++) {
		sizes[i] = hello->sizes[i] ? hello->sizes[i] : VDE_RING_DEFAULT_SIZE;
		sizes[i] = MIN(sizes[i], (uint32_t)sw->settings.ring_size);
	}
}

int plug_ring_acquire(struct vde_switch *sw, int control_fd,
		      const struct vde_ring_message_parts *hello, struct port **ret, uid_t *ret_uid,
		      struct error *error)
{
	gid_t groups[CONTROL_MAX_GROUPS];
	struct port_client client = { .uid = (uid_t)-1 };
	int r = control_credentials(control_fd, &client, groups);

	if (r == 0)
		r = port_acquire(sw, hello->port, hello->management, &client, ret);
	*ret_uid = client.uid;
	switch (-r) {
	case 0:
		return 0;
	case EPERM:
		return error_set(error, EPERM, "the access control of port %u excludes you", hello->port);
	case EADDRINUSE:
		return error_set(error, EADDRINUSE, "another user has port %u", hello->port);
	case EINVAL:
		return error_set(error, EINVAL, "there is no port %u: the highest number is %u",
				 hello->port, sw->num_ports);
	case ENOSPC:
		return error_set(error, ENOSPC, "all %u ports are in use; vde_switch -n gives more",
				 sw->num_ports);
	default:
		return error_set_errno(error, -r, "port %u", hello->port);
	}
}

/* What its ring takes: a record is at most half of it. */
static void plug_limit(struct plug_ring *plug)
{
	uint32_t most = ring_max_payload(plug->rp.out.size) - (uint32_t)sizeof(struct vde_ring_frame);

	plug->ep.max_super = most;
	plug->ep.max_out = MIN(plug->ep.max_out, most);
}

static void plug_init(struct plug_ring *plug, const struct vde_ring_message_parts *hello, int id,
		      uid_t uid)
{
	plug->ep = (struct endpoint){
		.class = &plug_ring_class, .id = id, .data_fd = plug->rp.bell_fd,
		.control_fd = plug->rp.control_fd, .data_events = EPOLLIN, .user = uid,
		.max_in = VNET_FRAME_MAX,
		.max_out = hello->max_frame ? MIN(hello->max_frame, (uint32_t)VNET_FRAME_MAX)
					    : VNET_FRAME_MAX,
		.takes = hello->offered & FEATURES,
	};
	plug_limit(plug);
	plug->again.run = plug_again;
	(void)str_copy(plug->ep.descr, sizeof(plug->ep.descr), hello->description);
}

/* Puts both descriptors in the loop. */
static int plug_watch(struct vde_switch *sw, struct plug_ring *plug)
{
	struct endpoint *ep = &plug->ep;
	int r = loop_add(sw->loop, &plug_bell_class, ep->data_fd, EPOLLIN | EPOLLET, plug, &ep->data_ref);

	if (r == 0)
		r = loop_add(sw->loop, &plug_control_class, ep->control_fd, EPOLLIN, plug,
			     &ep->control_ref);
	if (r < 0)
		loop_remove(sw->loop, &ep->data_ref);
	return r;
}

static int plug_start(struct vde_switch *sw, struct plug_ring *plug, struct port *port)
{
	int r = plug_watch(sw, plug);

	if (r < 0)
		return r;
	endpoint_attach(sw, port, &plug->ep);
	loop_task_add(sw->loop, &plug->again); /* it may have written since WELCOME */
	return 0;
}

static void cleanup_plug(struct plug_ring **plug)
{
	if (!*plug)
		return;
	ring_port_done(&(*plug)->rp);
	free(*plug);
}

int plug_ring_join(struct vde_switch *sw, int *control_fd,
		   const struct vde_ring_message_parts *hello, int *device_fd, struct error *error)
{
	CLEANUP(cleanup_plug) struct plug_ring *plug = calloc(1, sizeof(*plug));
	struct ring_port_client_fds client_fds;
	struct vde_ring_message_parts welcome = { 0 };
	uint32_t sizes[2];
	struct port *port;
	uid_t uid = (uid_t)-1;
	int r;

	(void)device_fd;
	if (!plug)
		return error_set_errno(error, ENOMEM, "the switch");
	plug->rp = (struct ring_port)RING_PORT_INIT;
	r = hello_check(hello, error);
	if (r == 0)
		r = plug_ring_acquire(sw, *control_fd, hello, &port, &uid, error);
	if (r < 0)
		return r;
	ring_sizes(sw, hello, sizes);
	r = ring_port_make(&plug->rp, sizes, &client_fds);
	if (r < 0)
		return error_set_errno(error, -r, "the switch cannot make a ring");
	welcome.required = FEATURES;
	welcome.offered = FEATURES;
	welcome.port = port->number;
	welcome.max_frame = VNET_FRAME_MAX;
	welcome.queue_pairs = 1;
	plug->rp.features = welcome.required;
	r = ring_port_welcome(&plug->rp, &welcome, control_fd, &client_fds);
	if (r < 0)
		return error_set_errno(error, -r, "the plug does not take its rings");
	plug_init(plug, hello, endpoint_new_id(sw, plug->rp.control_fd), uid);
	r = plug_start(sw, plug, port);
	if (r < 0)
		return error_set_errno(error, -r, "the switch");
	(void)TAKE_PTR(plug);
	return 0;
}

/* --- takeover ------------------------------------------------------------------------------ */

/* Everything is published and released when the loop turns: `head` and `tail` are what the plug sees. */
static const struct takeover_field ring_fields[] = {
	TAKEOVER_FIELD(struct plug_ring, rp.in.size),  TAKEOVER_FIELD(struct plug_ring, rp.out.size),
	TAKEOVER_FIELD(struct plug_ring, rp.in.tail),  TAKEOVER_FIELD(struct plug_ring, rp.out.head),
	TAKEOVER_FIELD(struct plug_ring, rp.features), TAKEOVER_FIELD(struct plug_ring, rp.peer_features),
	TAKEOVER_FIELD(struct plug_ring, rp.max_frame), TAKEOVER_FIELD(struct plug_ring, rp.port),
};

static void plug_pack(const struct endpoint *ep, struct takeover_message *m)
{
	const struct plug_ring *plug = container_of(ep, struct plug_ring, ep);

	takeover_put_fd(m, plug->rp.memory_fd);
	takeover_put_fd(m, plug->rp.ring_fd);
	takeover_put_fields(m, ITEM_CLASS, plug, ring_fields, ARRAY_SIZE(ring_fields));
}

/*
 * The words that are shared are the plug's to change: where we stand is what the other process said.
 * A difference breaks the ring, which ends the plug when the loop turns.
 */
static int plug_resume(struct plug_ring *plug)
{
	const uint32_t sizes[2] = { plug->rp.in.size, plug->rp.out.size };
	uint32_t tail = plug->rp.in.tail, head = plug->rp.out.head;
	int r = ring_port_resume(&plug->rp, sizes);

	if (r == 0 && (plug->rp.in.tail != tail || plug->rp.out.head != head))
		plug->rp.in.broken = true;
	return r;
}

static int plug_unpack_rings(struct vde_switch *sw, const struct endpoint *common,
			     struct takeover_message *m, struct plug_ring *plug)
{
	int r = takeover_get_fields(m, ITEM_CLASS, plug, ring_fields, ARRAY_SIZE(ring_fields));

	if (r < 0 || common->control_fd < 0)
		return -EBADMSG;
	if (plug->rp.features & ~(uint64_t)FEATURES)
		return -EPROTONOSUPPORT; /* the plug was told that it may send what we do not know */
	plug->rp.memory_fd = takeover_take_fd(m);
	plug->rp.ring_fd = takeover_take_fd(m);
	plug->rp.bell_fd = common->data_fd;
	plug->rp.control_fd = common->control_fd;
	plug->ep = *common;
	plug->ep.class = &plug_ring_class;
	plug->ep.takes &= FEATURES;
	plug->again.run = plug_again;
	r = plug_resume(plug);
	if (r < 0)
		return r;
	plug_limit(plug);
	return plug_watch(sw, plug);
}

/*
 * Whatever the plug has written, or said about sleeping, meanwhile: the first turn looks. So it does for frames
 * that the other process has shown to a plug that it did not come to ring.
 */
static int plug_unpack(struct vde_switch *sw, const struct endpoint *common,
		       struct takeover_message *m, struct endpoint **ret)
{
	struct plug_ring *plug = calloc(1, sizeof(*plug));
	int r;

	if (!plug)
		return -ENOMEM;
	plug->rp = (struct ring_port)RING_PORT_INIT;
	r = plug_unpack_rings(sw, common, m, plug);
	if (r < 0) {
		plug->rp.control_fd = plug->rp.bell_fd = -1; /* the caller's, still */
		cleanup_plug(&plug);
		return r;
	}
	plug_ring_used(sw, plug);
	plug_ring_wake_later(sw, plug);
	loop_task_add(sw->loop, &plug->again);
	*ret = &plug->ep;
	return 0;
}

const struct endpoint_class plug_ring_class = {
	.module = "unix prog",
	.transport = "ring",
	.queues = true,
	.resume = plug_resume_reading,
	.write = plug_ring_write,
	.flush = plug_ring_flush,
	.close = plug_close,
	.pack = plug_pack,
	.unpack = plug_unpack,
};
