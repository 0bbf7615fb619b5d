/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plug-in says with EOPNOTSUPP that a connection of its cannot do a call (a switch without rings):
 * from then on that call is done here.
 *
 * Receiving is one vde_recv for each time that the descriptor is readable, so it never blocks; a
 * socket that never does need not be asked.
 * Sending is one vde_send for each frame. What the plug-in does not take (vde_features) is cut
 * and completed before it is sent; from networks that know no super-frames none are received.
 *
 * The state is made at the first call that needs it. Frames are lent from its buffers in order, so they are
 * two rings of buffers. It is shared memory, so that it stays one state after a fork, as the network
 * is one; untouched buffers cost nothing.
 */
#include "vde/plug/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/shared_lock.h"
#include "vde/plug/offload.h"
#include "wire/ether.h"

#define SLOTS       32 /* frames that are lent at a time */
#define SLOT_SIZE   ((VDE_FRAME_MAX + 4095) & ~4095)
#define PIECES      32 /* that are handed to a plug-in at a time */
#define PIECE_SIZE  ((VDE_ETHBUFSIZE + 63) & ~63)
#define COUNT_MAX   INT_MAX
#define NOTHING_MAX 16 /* times that a plug-in is asked though it has nothing */

_Static_assert(VDE_VNET_NEEDS_CSUM == VNET_NEEDS_CSUM && VDE_VNET_GSO_TCPV4 == VNET_GSO_TCPV4 &&
	       VDE_VNET_GSO_TCPV6 == VNET_GSO_TCPV6 && VDE_VNET_GSO_UDP_L4 == VNET_GSO_UDP_L4 &&
	       VDE_VNET_GSO_ECN == VNET_GSO_ECN, "the numbers are virtio's");
_Static_assert(VDE_FEATURE_CSUM == VDE_RING_F_CSUM && VDE_FEATURE_TSO4 == VDE_RING_F_TSO4 &&
	       VDE_FEATURE_TSO6 == VDE_RING_F_TSO6 && VDE_FEATURE_USO == VDE_RING_F_USO,
	       "one set of bits");

struct plug_batch {
	struct shared_lock rx_lock, tx_lock;
	unsigned rx_first, rx_count; /* lent frames, in rx[] */
	unsigned tx_count;           /* lent room, from tx[0]; its borrower has tx_lock */
	uint8_t rx[SLOTS][SLOT_SIZE];
	uint8_t tx[SLOTS][SLOT_SIZE];
	uint8_t bounce[VDE_ETHBUFSIZE];
	uint8_t pieces[PIECES][PIECE_SIZE];
};

static struct plug_module *module_of(VDECONN *conn)
{
	return container_of(conn->module, struct plug_module, ops);
}

/* --- the plug-in's own way ------------------------------------------------------------------ */

/* The plug-in's function MEMBER for CONN, or NULL. */
#define EXT(conn, member)                                                                  \
	({                                                                                 \
		const struct plug_module *ext_m_ = module_of(conn);                        \
		ext_has(ext_m_, offsetof(struct vdeplug_ops_ext, member)) ?                \
			ext_m_->ext->member : NULL;                                        \
	})

static unsigned ext_bit(size_t offset)
{
	return 1u << (offset / sizeof(void *));
}

static bool ext_has(const struct plug_module *m, size_t offset)
{
	if (!m->ext || offset + sizeof(void (*)(void)) > m->ext->size)
		return false;
	return !(atomic_load_explicit(&m->ext_lacks, memory_order_relaxed) & ext_bit(offset));
}

/* The result R of the plug-in's function at OFFSET as negative errno; -EOPNOTSUPP is remembered. */
static int ext_result(VDECONN *conn, size_t offset, int r)
{
	if (r >= 0)
		return r;
	if (errno == EOPNOTSUPP)
		atomic_fetch_or_explicit(&module_of(conn)->ext_lacks, ext_bit(offset),
					 memory_order_relaxed);
	return errno > 0 ? -errno : -EIO;
}

/* Calls the plug-in's function MEMBER with CONN and all else; -EOPNOTSUPP: it is to be done here. */
#define EXT_CALL(conn, member, ...)                                                        \
	({                                                                                 \
		__typeof__(module_of(conn)->ext->member) ext_call_ = EXT(conn, member);    \
		ext_call_ ? ext_result((conn), offsetof(struct vdeplug_ops_ext, member),   \
				       ext_call_((conn), __VA_ARGS__)) :                   \
			    -EOPNOTSUPP;                                                   \
	})

/* --- state ---------------------------------------------------------------------------------- */

static struct plug_batch *batch_make(void)
{
	struct plug_batch *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (b == MAP_FAILED)
		return NULL;
	if (shared_lock_init(&b->rx_lock) < 0 || shared_lock_init(&b->tx_lock) < 0) {
		(void)munmap(b, sizeof(*b));
		return NULL;
	}
	return b;
}

/* The state of CONN, made if need be: -ENOMEM. Two threads may be here at once. */
static int batch_of(VDECONN *conn, struct plug_batch **ret)
{
	struct plug_module *m = module_of(conn);
	struct plug_batch *made, *expected = NULL;

	*ret = atomic_load_explicit(&m->batch, memory_order_acquire);
	if (*ret)
		return 0;
	made = batch_make();
	if (!made)
		return -ENOMEM;
	if (atomic_compare_exchange_strong(&m->batch, &expected, made)) {
		*ret = made;
		return 0;
	}
	(void)munmap(made, sizeof(*made));
	*ret = expected;
	return 0;
}

void batch_done(struct plug_module *module)
{
	struct plug_batch *b = atomic_load_explicit(&module->batch, memory_order_acquire);

	if (b)
		(void)munmap(b, sizeof(*b));
}

/* Who holds a lock twice is between vde_tx_get() and vde_tx_commit(). */
static int batch_lock(struct shared_lock *lock)
{
	int r = shared_lock_take(lock);

	return r == -EDEADLK ? -EBUSY : MIN(r, 0);
}

/* The state of CONN with its lock for receiving held, which the caller drops; negative errno: neither. */
static int rx_begin(VDECONN *conn, struct plug_batch **ret)
{
	int r = batch_of(conn, ret);

	return r < 0 ? r : batch_lock(&(*ret)->rx_lock);
}

/* The same for sending. */
static int tx_begin(VDECONN *conn, struct plug_batch **ret)
{
	int r = batch_of(conn, ret);

	return r < 0 ? r : batch_lock(&(*ret)->tx_lock);
}

uint64_t batch_features(VDECONN *conn, uint64_t features)
{
	struct plug_module *m = module_of(conn);
	uint64_t told = 0;
	__typeof__(m->ext->vde_features) ask = EXT(conn, vde_features);

	features &= VDE_FEATURE_CSUM | VDE_FEATURE_TSO4 | VDE_FEATURE_TSO6 | VDE_FEATURE_USO;
	if (!(features & VDE_FEATURE_CSUM))
		features = 0;
	if (ask)
		told = ask(conn, features);
	atomic_store_explicit(&m->native, told & features, memory_order_relaxed);
	atomic_store_explicit(&m->cuts, (features & ~told) != 0, memory_order_relaxed);
	return features | (told & VDE_FEATURE_RING);
}

/* --- receiving ------------------------------------------------------------------------------ */

/*
 * A socket that was made non-blocking can be read until it says that nothing is there. Others show a
 * descriptor that only can be polled, or that their plug-in reads in pieces.
 */
static bool never_waits(VDECONN *conn)
{
	int fd = conn->module->vde_datafd(conn), flags = fcntl(fd, F_GETFL);
	struct stat st;

	return flags >= 0 && flags & O_NONBLOCK && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool is_readable(VDECONN *conn)
{
	struct pollfd p = { .fd = conn->module->vde_datafd(conn), .events = POLLIN };

	return p.fd >= 0 && poll(&p, 1, 0) > 0;
}

/* Errors after which there may be more, some time. */
static bool means_nothing(int code)
{
	return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

/*
 * One frame into FRAME's buffer: 1; 0 when none is there, -EPIPE at the end. With ASK the descriptor
 * is asked before. What is too long is dropped: what would be cut goes through the bounce buffer.
 */
static int recv_one(VDECONN *conn, struct plug_batch *b, struct vde_frame *frame, bool ask)
{
	bool small = frame->len < VDE_ETHBUFSIZE;

	for (int i = 0; i < NOTHING_MAX && (!ask || is_readable(conn)); i++) {
		ssize_t n = conn->module->vde_recv(conn, small ? b->bounce : frame->data,
						   small ? sizeof(b->bounce) : frame->len, 0);

		if (n == 0)
			return -EPIPE;
		if (n < 0)
			return means_nothing(errno) ? 0 : -errno;
		if (n < ETHER_HEADER_SIZE || (size_t)n > frame->len)
			continue;
		if (small)
			memcpy(frame->data, b->bounce, (size_t)n);
		frame->len = (size_t)n;
		frame->flags = 0;
		frame->vnet = (struct vde_vnet){ 0 };
		return 1;
	}
	return 0;
}

int batch_recv(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	struct plug_batch *b;
	unsigned n = 0;
	bool ask;
	int r;

	count = MIN(count, COUNT_MAX);
	r = EXT_CALL(conn, vde_recv_batch, frames, count);
	if (r != -EOPNOTSUPP)
		return r;
	r = rx_begin(conn, &b);
	if (r < 0)
		return r;
	ask = !never_waits(conn);
	while (n < count && (r = recv_one(conn, b, &frames[n], ask)) > 0)
		n++;
	shared_lock_drop(&b->rx_lock);
	return n > 0 ? (int)n : r;
}

int batch_rx_get(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	struct plug_batch *b;
	int r;

	count = MIN(count, COUNT_MAX);
	r = EXT_CALL(conn, vde_rx_get, frames, count);
	if (r != -EOPNOTSUPP)
		return r;
	r = rx_begin(conn, &b);
	if (r < 0)
		return r;
	count = MIN(count, SLOTS - b->rx_count);
	for (unsigned i = 0; i < count; i++)
		frames[i] = (struct vde_frame){
			.data = b->rx[(b->rx_first + b->rx_count + i) % SLOTS], .len = VDE_FRAME_MAX,
		};
	shared_lock_drop(&b->rx_lock);
	r = batch_recv(conn, frames, count);
	if (r > 0 && batch_lock(&b->rx_lock) == 0) {
		b->rx_count += (unsigned)r;
		shared_lock_drop(&b->rx_lock);
	}
	return r;
}

void batch_rx_put(VDECONN *conn, unsigned count)
{
	__typeof__(module_of(conn)->ext->vde_rx_put) put = EXT(conn, vde_rx_put);
	struct plug_batch *b;

	if (put && EXT(conn, vde_rx_get)) {
		put(conn, count);
		return;
	}
	if (rx_begin(conn, &b) < 0)
		return;
	count = MIN(count, b->rx_count);
	b->rx_first = (b->rx_first + count) % SLOTS;
	b->rx_count -= count;
	shared_lock_drop(&b->rx_lock);
}

/* --- sending -------------------------------------------------------------------------------- */

static bool is_plain(const struct vde_vnet *vnet)
{
	return !(vnet->flags & VDE_VNET_NEEDS_CSUM) && vnet->gso_type == VDE_VNET_GSO_NONE;
}

/* The feature that a frame needs beyond VDE_FEATURE_CSUM. */
static uint64_t gso_feature(uint8_t gso_type)
{
	switch (gso_type & ~VDE_VNET_GSO_ECN) {
	case VDE_VNET_GSO_NONE:
		return 0;
	case VDE_VNET_GSO_TCPV4:
		return VDE_FEATURE_TSO4;
	case VDE_VNET_GSO_TCPV6:
		return VDE_FEATURE_TSO6;
	case VDE_VNET_GSO_UDP_L4:
		return VDE_FEATURE_USO;
	default:
		return UINT64_MAX;
	}
}

/* Whether a network that takes NATIVE features takes the frame as it is. */
static bool passes(const struct vde_frame *frame, uint64_t native)
{
	uint64_t needs = VDE_FEATURE_CSUM | gso_feature(frame->vnet.gso_type);

	return is_plain(&frame->vnet) || !(needs & ~native);
}

/* Whether the program need not keep the frame after vde_send() said R: sent, or not worth another try. */
static bool was_taken(ssize_t r)
{
	return r >= 0 || errno == EMSGSIZE || errno == ENOBUFS || errno == ENOMEM;
}

/* Sends complete frames: how many were taken, negative errno if none. */
static int send_whole(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	int r = EXT_CALL(conn, vde_send_batch, frames, count);
	unsigned n = 0;

	if (r != -EOPNOTSUPP)
		return r;
	while (n < count &&
	       (frames[n].len < ETHER_HEADER_SIZE ||
		was_taken(conn->module->vde_send(conn, frames[n].data, frames[n].len, 0))))
		n++;
	return n > 0 || n == count ? (int)n : means_nothing(errno) ? 0 : -errno;
}

static struct vnet_header to_wire(const struct vde_vnet *vnet)
{
	return (struct vnet_header){
		.flags = vnet->flags & VDE_VNET_NEEDS_CSUM,
		.gso_type = vnet->gso_type,
		.hdr_len = vnet->hdr_len,
		.gso_size = vnet->gso_size,
		.csum_start = vnet->csum_start,
		.csum_offset = vnet->csum_offset,
	};
}

/* The next pieces of CUT in the buffers of B; those that are too long are dropped. */
static unsigned fill_pieces(struct plug_batch *b, struct offload_cut *cut,
			    struct vde_frame pieces[PIECES])
{
	unsigned n = 0;
	ssize_t len;

	while (n < PIECES && (len = offload_cut_copy(cut, b->pieces[n], PIECE_SIZE)) != 0) {
		if (len < 0)
			continue;
		pieces[n] = (struct vde_frame){ .data = b->pieces[n], .len = (size_t)len };
		n++;
	}
	return n;
}

/*
 * Sends the pieces of one frame: 1 when it was taken, 0 when the network is full. Once a piece is
 * out the frame is: the receiver of the stream asks again for what is dropped of the rest.
 */
static int send_cut(VDECONN *conn, struct plug_batch *b, const struct vde_frame *frame)
{
	const struct vnet_header vnet = to_wire(&frame->vnet);
	struct vde_frame pieces[PIECES];
	struct offload_frame of;
	struct offload_cut cut;
	bool begun = false;
	unsigned n;

	if (offload_check(&of, frame->data, frame->len, &vnet) < 0)
		return 1;
	offload_cut_start(&cut, &of);
	while ((n = fill_pieces(b, &cut, pieces)) > 0) {
		int r = send_whole(conn, pieces, n);

		if (r <= 0 && !begun)
			return r;
		if (r < (int)n)
			return 1;
		begun = true;
	}
	return 1;
}

/* batch_send() with tx_lock held. */
static int send_locked(VDECONN *conn, struct plug_batch *b, const struct vde_frame *frames,
		       unsigned count, uint64_t native)
{
	unsigned n = 0;
	int r = 0;

	while (n < count) {
		unsigned run = 0;

		while (n + run < count && passes(&frames[n + run], native))
			run++;
		r = run ? send_whole(conn, frames + n, run) : send_cut(conn, b, &frames[n]);
		n += r > 0 ? (unsigned)r : 0;
		if (r < (int)MAX(run, 1u))
			break;
	}
	return n > 0 ? (int)n : r;
}

static bool all_pass(const struct vde_frame *frames, unsigned count, uint64_t native)
{
	for (unsigned i = 0; i < count; i++)
		if (!passes(&frames[i], native))
			return false;
	return true;
}

int batch_send(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	uint64_t native = atomic_load_explicit(&module_of(conn)->native, memory_order_relaxed);
	struct plug_batch *b;
	int r;

	count = MIN(count, COUNT_MAX);
	if (all_pass(frames, count, native))
		return send_whole(conn, frames, count);
	r = tx_begin(conn, &b);
	if (r < 0)
		return r;
	r = send_locked(conn, b, frames, count, native);
	shared_lock_drop(&b->tx_lock);
	return r;
}

/* The plug-in lends room of its own, unless what is put there may have to be cut. */
static bool plugin_lends(VDECONN *conn)
{
	return EXT(conn, vde_tx_get) && EXT(conn, vde_tx_commit) &&
	       !atomic_load_explicit(&module_of(conn)->cuts, memory_order_relaxed);
}

int batch_tx_get(VDECONN *conn, struct vde_frame *frames, unsigned count, size_t len)
{
	struct plug_batch *b;
	int r;

	if (len > VDE_FRAME_MAX)
		return -EMSGSIZE;
	count = MIN(count, COUNT_MAX);
	if (count == 0)
		return 0;
	r = plugin_lends(conn) ? EXT_CALL(conn, vde_tx_get, frames, count, len) : -EOPNOTSUPP;
	if (r != -EOPNOTSUPP)
		return r;
	r = tx_begin(conn, &b);
	if (r < 0)
		return r;
	b->tx_count = MIN(count, SLOTS);
	for (unsigned i = 0; i < b->tx_count; i++)
		frames[i] = (struct vde_frame){ .data = b->tx[i], .len = len };
	return (int)b->tx_count;
}

int batch_tx_commit(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	uint64_t native = atomic_load_explicit(&module_of(conn)->native, memory_order_relaxed);
	struct plug_batch *b;
	int r;

	if (plugin_lends(conn)) {
		r = module_of(conn)->ext->vde_tx_commit(conn, frames, count);
		return r < 0 ? -errno : r;
	}
	r = batch_of(conn, &b);
	if (r < 0)
		return r;
	if (!shared_lock_mine(&b->tx_lock) || count > b->tx_count)
		return -EINVAL;
	r = count ? send_locked(conn, b, frames, count, native) : 0;
	b->tx_count = 0;
	shared_lock_drop(&b->tx_lock);
	return r; /* what was not taken is lost: its room is given back */
}

int batch_busy_poll(VDECONN *conn, unsigned usec)
{
	int r = EXT_CALL(conn, vde_busy_poll, usec);

	return r == -EOPNOTSUPP ? 0 : r; /* nothing to look at is no error */
}
