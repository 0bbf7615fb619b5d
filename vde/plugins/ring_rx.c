/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Receiving from the ring.
 *
 * The bell is what programs poll, so it has to be as a datagram socket is: readable as long as there
 * is a frame, and not when there is none. (A program may wait in vde_recv() when it was told in vain.)
 * The switch rings when it has published something and finds the flag up that says that we sleep,
 * which it takes down. Every such signal is counted:
 *
 *	awake	 flag down. Signals in the bell, or on their way: `owed`.
 *	asleep	 (`announced`) flag up, ring empty, bell empty; or the switch has taken the flag down,
 *		 and one signal is on its way.
 *
 * To wake up (wake()) the flag is taken back; if the switch was faster, one more signal is owed.
 * To fall asleep (settle()) the flag is put up. If the ring then is not empty it is taken back; else
 * the signals that are owed are taken off the bell, exactly that many: one that comes for a later frame stays.
 * One that is late is waited for, since the switch is between two instructions.
 *
 * After a call that took many frames the ring is looked at for some microseconds more before that
 * (ring_linger()): a sender that is about to fill its next batch need not ring then.
 *
 * A ring that is left with frames in it and no signal owed (the receiver was awake when they came)
 * gets a signal of our own (call()), or the switch is asked for one. When nobody can hear the bell
 * (`told`, `sleepers`), none of this is done.
 *
 * Signals that say that there is room for sending cannot be counted; once they were asked for
 * (`loose`), settling takes everything off the bell and looks at the ring again. If there is room
 * by now, and who asked for it has not tried again, one is put back. A program that asks for room takes a
 * descriptor that is readable in vain.
 *
 * Lending. `lent` has what was taken while something was lent, in order; its room is given back up to the
 * first that is not back. When nothing is lent it is empty, and receiving does not touch it.
 */
#include "vde/plugins/ring_conn.h"

#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "wire/ether.h"

#define LATE_PATIENCE  20   /* ms that a signal which is owed may take */
#define SIGNALS_MAX    4096 /* taken at once */
#define SPINS_PER_LOOK 256
#define TRIES_MAX      2 /* looks at a ring of which it was said that it has something */

static const struct offload_tag no_change = { .change = OFFLOAD_KEEP };

int ring_rx_init(struct ring_rx *rx, const struct ring_consumer *in)
{
	rx->in = *in;
	return shared_lock_init(&rx->lock);
}

/* After the death of one who had the lock: at worst frames come twice, and a signal for nothing. */
static void rx_repair(struct ring_rx *rx)
{
	(void)ring_consumer_resume(&rx->in);
	rx->cutting = false;
	rx->lent_count = rx->piece_count = 0;
	atomic_store(&rx->loose, true);
}

static int rx_lock(struct ring_rx *rx)
{
	int r = shared_lock_take(&rx->lock);

	if (r > 0)
		rx_repair(rx);
	return MIN(r, 0);
}

static void rx_unlock(struct ring_rx *rx)
{
	shared_lock_drop(&rx->lock);
}

/* --- the bell ------------------------------------------------------------------------------- */

static bool bell_rings(const struct ring_conn *c, int patience)
{
	struct pollfd p = { .fd = c->port.bell_fd, .events = POLLIN };

	return poll(&p, 1, patience) > 0 && p.revents & POLLIN;
}

/* Takes up to MAX signals off the bell without waiting, whatever its flags are; how many there were. */
static uint32_t bell_take(const struct ring_conn *c, uint32_t max)
{
	char signals[SIGNALS_MAX];
	struct iovec iov = { .iov_base = signals, .iov_len = MIN(max, SIGNALS_MAX) };
	int saved = errno;
	ssize_t n = preadv2(c->port.bell_fd, &iov, 1, -1, RWF_NOWAIT);

	/* An old kernel; nobody else reads, since we have the lock. */
	if (n < 0 && errno != EAGAIN && bell_rings(c, 0))
		n = read(c->port.bell_fd, signals, iov.iov_len);
	errno = saved;
	return n > 0 ? (uint32_t)n : 0;
}

static void wake(struct ring_rx *rx)
{
	if (!rx->announced)
		return;
	rx->announced = false;
	if (!ring_withdraw(&rx->in))
		rx->owed++;
}

/* Takes the signals off the bell that are owed. */
static void collect(struct ring_conn *c)
{
	struct ring_rx *rx = &c->shared->rx;

	while (rx->owed > 0) {
		uint32_t n = bell_take(c, rx->owed);

		rx->owed -= n;
		if (n == 0 && !bell_rings(c, LATE_PATIENCE)) {
			/* A switch that does not keep its word, or that is stopped. */
			atomic_store(&rx->loose, true);
			rx->owed = 0;
		}
	}
}

/* A signal for room that was taken off the bell may be what a sender waits for. */
static void pass_on_room(struct ring_conn *c)
{
	struct ring_tx *tx = &c->shared->tx;
	unsigned left = atomic_load(&tx->asking);
	int saved = errno;

	if (!left || ring_room_asked(&tx->out) || c->echo_fd < 0)
		return;
	atomic_compare_exchange_strong(&tx->asking, &left, left - 1);
	(void)!write(c->echo_fd, "", 1);
	errno = saved;
}

/* Takes everything off the bell. */
static void hush(struct ring_conn *c)
{
	struct ring_rx *rx = &c->shared->rx;
	uint32_t n;

	wake(rx);
	n = bell_take(c, SIGNALS_MAX);
	rx->owed -= MIN(n, rx->owed);
	if (n > 0)
		pass_on_room(c);
}

/* Falls asleep: false when the ring is not empty (any more). */
static bool settle(struct ring_conn *c)
{
	struct ring_rx *rx = &c->shared->rx;

	if (rx->in.broken)
		return true;
	if (rx->announced)
		return ring_consumer_empty(&rx->in);
	if (atomic_load_explicit(&rx->loose, memory_order_relaxed))
		hush(c);
	ring_ask(&rx->in);
	rx->announced = true;
	if (!ring_consumer_empty(&rx->in) && !rx->in.broken) {
		wake(rx);
		return false;
	}
	collect(c);
	return true;
}

/* The ring is not empty, and somebody has to hear of it. */
static void call(struct ring_conn *c)
{
	struct ring_rx *rx = &c->shared->rx;
	int saved = errno;

	if (c->echo_fd >= 0 && write(c->echo_fd, "", 1) == 1) {
		rx->owed++;
	} else {
		ring_ask(&rx->in);
		rx->announced = true;
		(void)ring_port_ring(&c->port);
	}
	errno = saved;
}

static bool is_heard(const struct ring_rx *rx)
{
	return atomic_load_explicit(&rx->told, memory_order_relaxed) ||
	       atomic_load_explicit(&rx->sleepers, memory_order_relaxed);
}

/* --- lending -------------------------------------------------------------------------------- */

static struct ring_lent *lent_at(struct ring_rx *rx, unsigned index)
{
	return &rx->lent[(rx->lent_first + index) % RING_LENT_MAX];
}

static void lent_add(struct ring_rx *rx, bool back, bool piece)
{
	*lent_at(rx, rx->lent_count++) = (struct ring_lent){ rx->in.tail, back, piece };
}

/* Room has been given back up to TAIL. */
static void release(struct ring_conn *c, uint32_t tail)
{
	if (ring_release_until(&c->shared->rx.in, tail))
		(void)ring_port_ring(&c->port);
}

/* Gives back the room of what lies before the first frame that is still lent. */
static void lent_trim(struct ring_conn *c)
{
	struct ring_rx *rx = &c->shared->rx;
	uint32_t end = rx->in.released;

	while (rx->lent_count > 0 && rx->lent[rx->lent_first].back) {
		struct ring_lent *lent = &rx->lent[rx->lent_first];

		end = lent->end;
		if (lent->piece) {
			rx->piece_first = (rx->piece_first + 1) % RING_PIECES;
			rx->piece_count--;
		}
		rx->lent_first = (rx->lent_first + 1) % RING_LENT_MAX;
		rx->lent_count--;
	}
	release(c, rx->lent_count ? end : rx->in.tail);
}

/* --- taking --------------------------------------------------------------------------------- */

enum found {
	FOUND_NOTHING = 0,
	FOUND_PLAIN, /* a complete frame */
	FOUND_WHOLE, /* rx->whole, which the caller takes as it is */
	FOUND_PIECE, /* the next piece of rx->whole */
};

struct item {
	const uint8_t *data; /* in the ring */
	uint32_t len;        /* of the frame */
	uint32_t record;     /* bytes of its record */
};

/* Done with the record of LEN bytes at the front of the ring. */
static void consume(struct ring_rx *rx, uint32_t len)
{
	ring_consume(&rx->in, len);
	if (rx->lent_count)
		lent_add(rx, true, false);
}

static void stop_cutting(struct ring_rx *rx)
{
	rx->cutting = false;
	consume(rx, rx->cut_len);
}

/* Looks at a frame with work left; false: it is not one. */
static enum found inspect(struct ring_rx *rx, const struct item *item,
			  const struct vnet_header *vnet, uint64_t features)
{
	if (offload_check(&rx->whole, item->data, item->len, vnet) < 0)
		return FOUND_NOTHING;
	if (offload_takes(&rx->whole, features, &no_change))
		return FOUND_WHOLE;
	offload_cut_start(&rx->cut, &rx->whole);
	rx->cut_len = item->record;
	rx->cutting = true;
	return FOUND_PIECE;
}

/* The next thing to take for a caller with FEATURES; it is not taken yet. */
static enum found find(struct ring_rx *rx, uint64_t features, struct item *ret)
{
	const uint32_t limit = features ? VNET_FRAME_MAX : VDE_ETHBUFSIZE;
	const uint8_t *record;
	uint16_t type;

	if (rx->lent_count == RING_LENT_MAX)
		return FOUND_NOTHING;
	if (rx->cutting)
		return FOUND_PIECE;
	while ((record = ring_next(&rx->in, &ret->record, &type))) {
		struct vde_ring_frame head;
		enum found found = FOUND_NOTHING;

		wake(rx);
		if (type == RING_FRAME && ret->record >= sizeof(head) + ETHER_HEADER_SIZE) {
			memcpy(&head, record, sizeof(head));
			__asm__ volatile("" : "+m"(head)); /* not read again */
			ret->data = record + sizeof(head);
			ret->len = ret->record - (uint32_t)sizeof(head);
			if (head.vnet.flags || head.vnet.gso_type)
				found = inspect(rx, ret, &head.vnet, features);
			else if (ret->len <= limit)
				found = FOUND_PLAIN;
		}
		if (found)
			return found;
		consume(rx, ret->record);
		if (rx->lent_count == RING_LENT_MAX)
			break;
	}
	return FOUND_NOTHING;
}

static struct vde_vnet to_public(const struct vnet_header *vnet)
{
	return (struct vde_vnet){
		.flags = vnet->flags,
		.gso_type = vnet->gso_type,
		.hdr_len = vnet->hdr_len,
		.gso_size = vnet->gso_size,
		.csum_start = vnet->csum_start,
		.csum_offset = vnet->csum_offset,
	};
}

/* The next piece into BUF; 0 when there was none that fits. */
static size_t take_piece(struct ring_rx *rx, void *buf, size_t room)
{
	ssize_t n;

	do
		n = offload_cut_copy(&rx->cut, buf, room);
	while (n < 0);
	if (n == 0 || rx->cut.index >= rx->whole.segments)
		stop_cutting(rx);
	return (size_t)n;
}

/* Copies one frame; 0 when there is none. Frames larger than ROOM are dropped. */
static size_t take(struct ring_rx *rx, void *buf, size_t room, uint64_t features,
		   struct vde_vnet *ret_vnet)
{
	struct item item;
	enum found found;

	*ret_vnet = (struct vde_vnet){ 0 };
	while ((found = find(rx, features, &item))) {
		size_t n = 0;

		if (found == FOUND_PIECE) {
			n = take_piece(rx, buf, room);
		} else {
			if (item.len <= room)
				n = item.len;
			if (n)
				memcpy(buf, item.data, n);
			if (n && found == FOUND_WHOLE) {
				memcpy(buf, offload_head(&rx->whole), rx->whole.head_len);
				*ret_vnet = to_public(&rx->whole.vnet);
			}
			consume(rx, item.record);
		}
		if (n)
			return n;
	}
	return 0;
}

/* Lends one frame where it lies; false when there is none, or no place for a piece. */
static bool lend(struct ring_rx *rx, uint64_t features, struct vde_frame *ret)
{
	struct item item;
	enum found found;

	while ((found = find(rx, features, &item))) {
		*ret = (struct vde_frame){ .data = (uint8_t *)(uintptr_t)item.data, .len = item.len };
		if (found != FOUND_PIECE) {
			if (found == FOUND_WHOLE) {
				memcpy(ret->data, offload_head(&rx->whole), rx->whole.head_len);
				ret->vnet = to_public(&rx->whole.vnet);
			}
			ring_consume(&rx->in, item.record);
			lent_add(rx, false, false);
			return true;
		}
		if (rx->piece_count == RING_PIECES)
			return false;
		ret->data = rx->pieces[(rx->piece_first + rx->piece_count) % RING_PIECES];
		ret->len = take_piece(rx, ret->data, RING_PIECE_SIZE);
		if (ret->len) {
			rx->piece_count++;
			lent_add(rx, false, true);
			return true;
		}
	}
	return false;
}

/* At the end of a call that took so many: gives room back, and leaves the bell as it has to be. */
static void leave(struct ring_conn *c, int taken)
{
	struct ring_rx *rx = &c->shared->rx;
	struct ring_consumer *in = &rx->in;
	bool empty = in->tail == in->head && ring_consumer_empty(in); /* nor are there pieces, then */

	if (!rx->lent_count && (empty || in->tail - in->released >= in->size / 8))
		release(c, in->tail);
	if (!is_heard(rx) || (empty && !ring_linger(in, (unsigned)MAX(taken, 0)) && settle(c)))
		return;
	if (!rx->announced && rx->owed == 0)
		call(c);
}

/* --- waiting -------------------------------------------------------------------------------- */

static long preemptions(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : -1;
}

/*
 * Looks for a while whether the ring gets something: true if so. It ends when somebody else
 * wants the processor: then a switch to them was forced on us, by the yield or by the clock.
 */
static bool spin_for(const struct ring_shared *shared, uint32_t head, unsigned usec)
{
	uint64_t deadline = clock_now() + usec * NS_PER_USEC;
	long before = preemptions();

	do {
		for (int i = 0; i < SPINS_PER_LOOK; i++) {
			if (atomic_load_explicit(&shared->head, memory_order_relaxed) != head)
				return true;
			cpu_pause();
		}
		(void)sched_yield();
	} while (clock_now() < deadline && preemptions() == before);
	return atomic_load_explicit(&shared->head, memory_order_relaxed) != head;
}

/* Spins if that was asked for; true: look again. Spinning that was in vain becomes shorter. */
static bool spin(struct ring_conn *c)
{
	struct ring_rx *rx = &c->shared->rx;
	uint32_t head = rx->in.head;
	unsigned usec = rx->spin;
	bool found;

	if (!usec || rx->in.broken)
		return false;
	wake(rx); /* so that the switch does not ring */
	rx_unlock(rx);
	found = spin_for(rx->in.shared, head, usec);
	if (rx_lock(rx) < 0)
		return false;
	usec = found ? rx->spin * 2 : rx->spin / 2;
	rx->spin = MIN(MAX(usec, (rx->spin_max + 15) / 16), rx->spin_max);
	return found;
}

/*
 * There was nothing: 1 look again, 0 there is nothing, -EPIPE there never will be. The lock is
 * dropped and taken again. *end is kept from one call to the next: nothing was there after the end.
 */
static int nothing(struct ring_conn *c, bool wait, bool *end)
{
	struct ring_rx *rx = &c->shared->rx;
	struct pollfd p[] = { { .fd = c->port.bell_fd, .events = POLLIN },
			      { .fd = c->port.control_fd, .events = POLLIN } };
	int r;

	if (*end || rx->in.broken)
		return -EPIPE;
	if (!settle(c))
		return 1;
	if (wait)
		atomic_fetch_add(&rx->sleepers, 1);
	rx_unlock(rx);
	r = poll(p, ARRAY_SIZE(p), wait ? -1 : 0) < 0 ? -errno : 0;
	if (wait)
		atomic_fetch_sub(&rx->sleepers, 1);
	if (rx_lock(rx) < 0)
		return -EIO;
	if (r < 0)
		return r;
	/* A signal though nothing is there: for room, or because somebody else took the frame. */
	if (p[0].revents & POLLIN && ring_consumer_empty(&rx->in)) {
		hush(c);
		(void)settle(c);
	}
	*end = p[1].revents || p[0].revents & (POLLHUP | POLLERR);
	return wait || p[0].revents || *end;
}

/* --- the calls ------------------------------------------------------------------------------ */

struct wanted {
	struct vde_frame *frames;
	unsigned count;
	uint64_t features; /* what the caller takes */
	bool lend;         /* else the frames have buffers */
	bool may_wait;
};

static bool get_one(struct ring_rx *rx, const struct wanted *wanted, struct vde_frame *frame)
{
	size_t len;

	if (wanted->lend)
		return lend(rx, wanted->features, frame);
	len = take(rx, frame->data, frame->len, wanted->features, &frame->vnet);
	if (len == 0)
		return false; /* its buffer stays as it is */
	frame->len = len;
	frame->flags = 0;
	return true;
}

static bool is_full(const struct ring_rx *rx)
{
	return rx->lent_count == RING_LENT_MAX || rx->piece_count == RING_PIECES;
}

/* With the lock: how many frames, 0 when there are none now, or a negative errno. */
static int receive_locked(struct ring_conn *c, const struct wanted *wanted)
{
	struct ring_rx *rx = &c->shared->rx;
	bool end = false, spun = false;

	for (int tries = 0;; tries++) {
		unsigned n = 0;
		bool wait;
		int r;

		while (n < wanted->count && get_one(rx, wanted, &wanted->frames[n]))
			n++;
		if (n > 0 || is_full(rx)) /* then waiting would not help */
			return (int)n;
		if (!spun && spin(c))
			continue;
		spun = true;
		wait = wanted->may_wait && ring_conn_waits(c);
		if (!wait && tries >= TRIES_MAX)
			return 0;
		r = nothing(c, wait, &end);
		if (r <= 0)
			return r;
	}
}

static int receive(struct ring_conn *c, const struct wanted *wanted)
{
	int r = rx_lock(&c->shared->rx);

	if (r < 0)
		return r;
	r = receive_locked(c, wanted);
	leave(c, r);
	rx_unlock(&c->shared->rx);
	return r;
}

ssize_t ring_rx_recv(struct ring_conn *c, void *buf, size_t len)
{
	struct vde_frame frame = { .data = buf, .len = len };
	int r = receive(c, &(struct wanted){ .frames = &frame, .count = 1, .may_wait = true });

	if (r > 0)
		return (ssize_t)frame.len;
	return r == -EPIPE ? 0 : r == 0 ? -EAGAIN : r;
}

int ring_rx_batch(struct ring_conn *c, struct vde_frame *frames, unsigned count)
{
	if (count == 0)
		return 0;
	return receive(c, &(struct wanted){ .frames = frames, .count = count,
					    .features = c->shared->rx.features });
}

int ring_rx_get(struct ring_conn *c, struct vde_frame *frames, unsigned count)
{
	if (count == 0)
		return 0;
	return receive(c, &(struct wanted){ .frames = frames, .count = count, .lend = true,
					    .features = c->shared->rx.features });
}

void ring_rx_put(struct ring_conn *c, unsigned count)
{
	struct ring_rx *rx = &c->shared->rx;

	if (rx_lock(rx) < 0)
		return;
	for (unsigned i = 0; i < rx->lent_count && count > 0; i++) {
		struct ring_lent *lent = lent_at(rx, i);

		count -= !lent->back;
		lent->back = true;
	}
	lent_trim(c);
	rx_unlock(rx);
}

/* From now on the bell is kept right, and it is made so. */
int ring_rx_datafd(struct ring_conn *c)
{
	struct ring_rx *rx = &c->shared->rx;

	if (!atomic_load_explicit(&rx->told, memory_order_relaxed) && rx_lock(rx) == 0) {
		atomic_store(&rx->told, true);
		leave(c, 0);
		rx_unlock(rx);
	}
	return c->port.bell_fd;
}

int ring_rx_busy_poll(struct ring_conn *c, unsigned usec)
{
	struct ring_rx *rx = &c->shared->rx;
	int r = rx_lock(rx);

	if (r < 0)
		return r;
	rx->spin = rx->spin_max = usec;
	rx_unlock(rx);
	return 0;
}
