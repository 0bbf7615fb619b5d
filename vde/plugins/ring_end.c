/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vde/plugins/ring_end.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "vde/plugins/super.h"

#define HEADER        ((uint32_t)sizeof(struct vde_ring_frame))
#define WAIT_SLICE_MS 5   /* another thread may have heard the signal */
#define TRIM_AFTER_S  2
#define TRIM_BYTES    (64u << 10) /* less is not worth a wake-up */
#define TRIM_TRIES    5           /* for a peer that does not take what is in its ring */

/* --- the set ------------------------------------------------------------------------------ */

static int watch(int epoll, int fd, uint64_t key)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = key };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int ring_set_start(struct ring_set *set, int epoll, uint64_t more_key, uint64_t timer_key)
{
	auto_close int more = -1, timer = -1;
	int r;

	if (set->more >= 0)
		return 0;
	more = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (more < 0 || timer < 0)
		return -errno;
	r = watch(epoll, more, more_key);
	if (r == 0)
		r = watch(epoll, timer, timer_key);
	if (r < 0)
		return r;
	*set = (struct ring_set){ .epoll = epoll, .more = TAKE_FD(more), .timer = TAKE_FD(timer) };
	return 0;
}

void ring_set_done(struct ring_set *set)
{
	cleanup_close(&set->more);
	cleanup_close(&set->timer);
	*set = (struct ring_set)RING_SET_NONE;
}

static void set_more(struct ring_set *set, bool on)
{
	eventfd_t value;

	if (on == set->more_set)
		return;
	set->more_set = on;
	if (on)
		(void)eventfd_write(set->more, 1); /* from 0: does not fail */
	else
		(void)eventfd_read(set->more, &value); /* of what was written */
}

void ring_set_more(struct ring_set *set)
{
	if (!set->num_awake)
		set_more(set, false);
}

void ring_set_settle(struct ring_set *set)
{
	ring_set_flush(set);
	if (set->room || set->pending || (set->num_awake && !set->num_rung))
		set_more(set, true);
	else if (!set->num_awake)
		set_more(set, false);
}

/* --- memory ------------------------------------------------------------------------------- */

static void set_timer(struct ring_set *set)
{
	struct itimerspec when = { .it_value = { .tv_sec = TRIM_AFTER_S } };

	if (set->timer_set)
		return;
	set->timer_set = true;
	(void)timerfd_settime(set->timer, 0, &when, NULL); /* a valid time: cannot fail */
}

/* Records of E came or went: when they have touched much, it is to be trimmed some time. */
static void note_use(struct ring_end *e)
{
	struct ring_set *set = e->set;

	if (e->used || !e->server)
		return;
	if (e->rp.in.tail - e->trimmed[0] < TRIM_BYTES && e->rp.out.head - e->trimmed[1] < TRIM_BYTES)
		return;
	e->used = true;
	e->tries = 0;
	e->looked[0] = e->rp.in.tail;
	e->looked[1] = e->rp.out.head;
	e->next_used = set->used;
	set->used = e;
	set_timer(set);
}

/* One look of the timer at an end. True: it is done with. */
static bool trim(struct ring_end *e)
{
	uint32_t in = e->rp.in.tail, out = e->rp.out.head;
	bool silent = in == e->looked[0] && out == e->looked[1];

	e->looked[0] = in;
	e->looked[1] = out;
	if (!silent) {
		e->tries = 0;
		return false;
	}
	if (e->awake || !ring_producer_empty(&e->rp.out))
		return ++e->tries >= TRIM_TRIES;
	(void)ring_punch(&e->rp.in); /* a frame that comes now: at the next burst */
	if (ring_release(&e->rp.in))
		(void)ring_port_ring(&e->rp);
	(void)ring_producer_punch(&e->rp.out);
	e->trimmed[0] = in;
	e->trimmed[1] = out;
	return true;
}

void ring_set_trim(struct ring_set *set)
{
	struct ring_end **at = &set->used;
	uint64_t expirations;

	(void)!read(set->timer, &expirations, sizeof(expirations)); /* perhaps another thread did */
	set->timer_set = false;
	while (*at) {
		struct ring_end *e = *at;

		if (trim(e)) {
			e->used = false;
			*at = e->next_used;
		} else {
			at = &e->next_used;
		}
	}
	if (set->used)
		set_timer(set);
}

/* --- sleeping and waking -------------------------------------------------------------------- */

void ring_end_wake(struct ring_end *e)
{
	struct ring_set *set = e->set;

	if (e->awake)
		return;
	e->awake = true;
	set->num_awake++;
	if (!set->awake) {
		e->next = e->prev = e;
		set->awake = e;
		return;
	}
	e->next = set->awake; /* behind all others */
	e->prev = set->awake->prev;
	e->prev->next = e->next->prev = e;
}

static void leave_awake(struct ring_end *e)
{
	struct ring_set *set = e->set;

	if (!e->awake)
		return;
	e->awake = false;
	set->num_awake--;
	e->prev->next = e->next;
	e->next->prev = e->prev;
	if (set->awake == e)
		set->awake = e->next == e ? NULL : e->next;
}

static void unring(struct ring_end *e)
{
	e->set->num_rung -= e->rung;
	e->rung = false;
}

static void publish(struct ring_end *e)
{
	if (ring_publish(&e->rp.out) && ring_port_ring(&e->rp) == -EPIPE)
		e->deaf = true;
	note_use(e);
}

/* Somebody waits for room: is there some? */
static void look_for_room(struct ring_end *e)
{
	if (!e->room_wanted)
		return;
	publish(e);
	if (ring_wait_room(&e->rp.out, e->room_wanted))
		return;
	e->room_wanted = 0;
	e->set->room = true;
}

static void hear(struct ring_end *e)
{
	unring(e);
	(void)ring_port_hear(&e->rp);
	look_for_room(e);
}

void ring_end_bell(struct ring_end *e, uint32_t events)
{
	if (events & EPOLLIN) {
		e->set->num_rung += !e->rung;
		e->rung = true;
	} else { /* nobody has its other end any more; the control connection tells the rest */
		(void)epoll_ctl(e->set->epoll, EPOLL_CTL_DEL, e->rp.bell_fd, NULL);
	}
	ring_end_wake(e);
	look_for_room(e);
	if (ring_ring_again(&e->rp.out))
		(void)ring_port_ring(&e->rp);
}

bool ring_end_rest(struct ring_end *e)
{
	if (!ring_consumer_empty(&e->rp.in))
		return false;
	ring_end_release(e, true);
	if (e->rung)
		hear(e);
	if (!ring_sleep(&e->rp.in))
		return false;
	leave_awake(e);
	note_use(e);
	return true;
}

void ring_end_leave(struct ring_end *e)
{
	hear(e);
	leave_awake(e);
}

/* --- life ----------------------------------------------------------------------------------- */

void ring_end_init(struct ring_end *e)
{
	*e = (struct ring_end){ .rp = RING_PORT_INIT };
}

static int hello_check(const struct vde_ring_message_parts *hello, uint64_t features,
		       struct error *error)
{
	if (hello->message != VDE_RING_HELLO)
		return error_set(error, EPROTO, "a request for rings is wanted");
	if (hello->required & ~(features & hello->offered))
		return error_set(error, EPROTONOSUPPORT, "a feature that is required is not known");
	if (hello->kind != VDE_RING_KIND_RING)
		return error_set(error, EPROTONOSUPPORT, "there are no ports of this kind");
	for (int i = 0; i < 2; i++)
		if (hello->sizes[i] && !ring_size_valid(hello->sizes[i]))
			return error_set(error, EINVAL, "a ring of %u bytes cannot be", hello->sizes[i]);
	return 0;
}

int ring_end_serve(struct ring_end *e, int *control_fd, const struct vde_ring_message_parts *hello,
		   uint64_t features, unsigned port, struct error *error)
{
	struct vde_ring_message_parts welcome = {
		.required = hello->offered & features, .offered = features, .port = port,
		.max_frame = VNET_FRAME_MAX, .queue_pairs = 1,
	};
	struct ring_port_client_fds client;
	uint32_t sizes[2];
	int r = hello_check(hello, features, error);

	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++)
		sizes[i] = hello->sizes[i] ? MIN(hello->sizes[i], VDE_RING_DEFAULT_SIZE)
					   : VDE_RING_DEFAULT_SIZE;
	ring_end_init(e);
	r = ring_port_make(&e->rp, sizes, &client);
	if (r < 0)
		return error_set_errno(error, -r, "rings cannot be made");
	e->rp.features = e->rp.peer_features = welcome.required;
	e->rp.port = port;
	e->rp.max_frame = hello->max_frame ? MIN(hello->max_frame, (uint32_t)VNET_FRAME_MAX)
					   : VNET_FRAME_MAX;
	r = ring_port_welcome(&e->rp, &welcome, control_fd, &client);
	if (r < 0) {
		ring_port_done(&e->rp);
		return error_set_errno(error, -r, "the rings are not taken");
	}
	cleanup_close(&e->rp.memory_fd); /* it is mapped */
	e->rp.memory_fd = -1;
	e->server = true;
	return 0;
}

int ring_end_attach(struct ring_end *e, struct ring_set *set, uint64_t key)
{
	int r = watch(set->epoll, e->rp.bell_fd, key);

	if (r < 0)
		return r;
	e->set = set;
	e->serial = set->serial++;
	e->next_member = set->members;
	set->members = e;
	return 0;
}

#define UNLINK(list, e, next)                                  \
	do {                                                   \
		struct ring_end **at_ = &(list);               \
		while (*at_ && *at_ != (e))                    \
			at_ = &(*at_)->next;                   \
		if (*at_)                                      \
			*at_ = (e)->next;                      \
	} while (0)

static void detach(struct ring_end *e)
{
	struct ring_set *set = e->set;

	ring_ask(&e->rp.in); /* who still writes rings for nobody, and sees it */
	leave_awake(e);
	unring(e);
	UNLINK(set->used, e, next_used);
	UNLINK(set->written, e, next_written);
	UNLINK(set->members, e, next_member);
	/* Closing is not enough: a child of fork(2) may have it, too. */
	(void)epoll_ctl(set->epoll, EPOLL_CTL_DEL, e->rp.bell_fd, NULL);
}

void ring_end_done(struct ring_end *e)
{
	if (e->set)
		detach(e);
	ring_port_done(&e->rp);
	ring_end_init(e);
}

/* --- frames ----------------------------------------------------------------------------------- */

/* The peer takes something else from now on. */
static void take_notice(struct ring_end *e, const uint8_t *record, uint32_t len)
{
	struct vde_ring_notice notice;

	if (len < sizeof(notice))
		return;
	memcpy(&notice, record, sizeof(notice));
	__asm__ volatile("" : "+m"(notice)); /* the copy is what is used */
	if (notice.kind == VDE_RING_NOTICE_FEATURES)
		e->rp.peer_features = notice.value & VDE_RING_F_ALL;
}

const uint8_t *ring_end_next(struct ring_end *e, struct vnet_header *ret_vnet, uint32_t *ret_len)
{
	struct ring_consumer *in = &e->rp.in;
	const uint8_t *record;
	uint32_t len;
	uint16_t type;

	/* Room is given back later: what a peer can have us skip is a ring full. */
	while ((record = ring_next(in, &len, &type)) != NULL) {
		ring_consume(in, len);
		if (type == RING_NOTICE)
			take_notice(e, record, len);
		if (type != RING_FRAME || len < HEADER + PLUGIN_FRAME_MIN ||
		    len > HEADER + VNET_FRAME_MAX)
			continue;
		memcpy(ret_vnet, record, sizeof(*ret_vnet));
		__asm__ volatile("" : "+m"(*ret_vnet)); /* the copy is what is used */
		*ret_len = len - HEADER;
		return record + HEADER;
	}
	return NULL;
}

void ring_end_release(struct ring_end *e, bool now)
{
	struct ring_consumer *in = &e->rp.in;
	bool waits = atomic_load_explicit(&in->shared->producer_waits, memory_order_relaxed);

	/* Who waits is not to be woken for each frame, nor kept waiting by a slow program. */
	if (!now && in->tail - in->released < in->size / (waits ? 32 : 4))
		return;
	if (ring_release(in))
		(void)ring_port_ring(&e->rp);
}

/* A plain frame's record is zero where it says what is to be done. */
static bool is_plain_record(const uint8_t *record, uint32_t len, uint16_t type)
{
	uint16_t work;

	_Static_assert(offsetof(struct vnet_header, gso_type) == 1, "flags and type are one word");
	if (type != RING_FRAME || len < HEADER + PLUGIN_FRAME_MIN || len > HEADER + VNET_FRAME_MAX)
		return false;
	memcpy(&work, record, sizeof(work));
	return work == 0;
}

unsigned ring_end_take_run(struct ring_end *e, struct plugin_sink *sink)
{
	struct ring_consumer *in = &e->rp.in;
	const uint8_t *record;
	unsigned n = 0;
	uint32_t len;
	uint16_t type;

	while (!plugin_sink_full(sink) && (record = ring_next(in, &len, &type)) != NULL &&
	       is_plain_record(record, len, type)) {
		struct vde_frame *frame = &sink->frames[sink->done];

		if (len - HEADER > frame->len)
			break;
		memcpy(frame->data, record + HEADER, len - HEADER);
		plugin_sink_done(sink, len - HEADER, NULL);
		ring_consume(in, len);
		n++;
	}
	return n;
}

/* Its records are to be published. */
static void note_written(struct ring_end *e)
{
	e->stalled = false;
	if (e->written)
		return;
	e->written = true;
	e->next_written = e->set->written;
	e->set->written = e;
}

unsigned ring_end_put_run(struct ring_end *e, const struct vde_frame *frames, unsigned count,
			  uint32_t max)
{
	unsigned n;

	for (n = 0; n < count; n++) {
		const struct vde_frame *frame = &frames[n];
		uint8_t *to;

		if (super_is_work(&frame->vnet) || frame->len < PLUGIN_FRAME_MIN || frame->len > max)
			break;
		to = ring_reserve(&e->rp.out, HEADER + (uint32_t)frame->len);
		if (!to)
			break;
		memset(to, 0, HEADER);
		memcpy(to + HEADER, frame->data, frame->len);
		ring_commit(&e->rp.out, HEADER + (uint32_t)frame->len, RING_FRAME);
	}
	if (n > 0)
		note_written(e);
	return n;
}

bool ring_end_put(struct ring_end *e, const struct vnet_header *vnet, const struct iovec *iov,
		  unsigned count, uint32_t len)
{
	uint8_t *to = ring_reserve(&e->rp.out, HEADER + len);

	if (!to)
		return false;
	memset(to, 0, HEADER);
	if (vnet)
		memcpy(to, vnet, sizeof(*vnet));
	to += HEADER;
	for (unsigned i = 0; i < count; i++)
		to = mempcpy(to, iov[i].iov_base, iov[i].iov_len);
	ring_commit(&e->rp.out, HEADER + len, RING_FRAME);
	note_written(e);
	return true;
}

void ring_set_flush(struct ring_set *set)
{
	while (set->written) {
		struct ring_end *e = set->written;

		set->written = e->next_written;
		e->written = false;
		publish(e);
	}
}

bool ring_end_too_long(const struct ring_end *e, uint32_t len)
{
	return len > VNET_FRAME_MAX || HEADER + len > ring_max_payload(e->rp.out.size);
}

/* Who only sends never comes to its bell otherwise, and would find the descriptor readable for ever. */
void ring_end_want_room(struct ring_end *e, uint32_t len)
{
	e->room_wanted = HEADER + len;
	ring_end_wake(e);
	hear(e);
	(void)ring_end_rest(e);
}

/* The end that had the number SERIAL is still in the set. */
static bool is_member(const struct ring_set *set, const struct ring_end *e, uint64_t serial)
{
	const struct ring_end *at = set->members;

	while (at && at != e)
		at = at->next_member;
	return at && at->serial == serial;
}

/* Waits for room, a few milliseconds at most, without the lock. False: the end is gone. */
static bool wait_room(struct ring_end *e, uint32_t len, pthread_mutex_t *lock)
{
	const struct ring_set *set = e->set;
	uint64_t serial = e->serial;
	auto_close int fd = -1;
	struct pollfd p = { .events = POLLIN };

	publish(e);
	/* What its bell says until now has to be looked at; from here on it says that there is room. */
	ring_end_wake(e);
	hear(e);
	if (!ring_wait_room(&e->rp.out, HEADER + len))
		return true;
	p.fd = fd = fcntl(e->rp.bell_fd, F_DUPFD_CLOEXEC, 0);
	ring_set_settle(e->set);
	(void)pthread_mutex_unlock(lock);
	(void)poll(&p, fd >= 0, WAIT_SLICE_MS);
	(void)pthread_mutex_lock(lock);
	return is_member(set, e, serial);
}

int ring_end_send(struct ring_end *e, const struct vnet_header *vnet, const struct iovec *iov,
		  unsigned count, uint32_t len, int datafd, pthread_mutex_t *lock)
{
	uint64_t deadline = 0;

	if (ring_end_too_long(e, len))
		return 0;
	while (!ring_end_put(e, vnet, iov, count, len)) {
		if (ring_end_broken(e))
			return -EPROTO;
		if (plugin_nonblock(datafd))
			return -EAGAIN;
		if (!deadline)
			deadline = clock_now() + PLUGIN_WAIT_MS * NS_PER_MSEC;
		if (e->stalled || clock_now() >= deadline) {
			e->stalled = true;
			return 0;
		}
		if (!wait_room(e, len, lock))
			return -EPIPE;
	}
	return 0;
}
