/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/link.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libvdeplug.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "bench/frame.h"

#define LIBRARY       "libvdeplug.so.2"
#define PACKET_BUFFER (4 << 20) /* bytes; what a careful user of packet sockets asks for */

typedef VDECONN *open_function(char *, char *, int, struct vde_open_args *);
typedef ssize_t recv_function(VDECONN *, void *, size_t, int);
typedef ssize_t send_function(VDECONN *, const void *, size_t, int);
typedef int recv_batch_function(VDECONN *, struct vde_frame *, unsigned);
typedef int send_batch_function(VDECONN *, const struct vde_frame *, unsigned);
typedef void rx_put_function(VDECONN *, unsigned);
typedef int tx_get_function(VDECONN *, struct vde_frame *, unsigned, size_t);
typedef int datafd_function(VDECONN *);
typedef uint64_t features_function(VDECONN *, uint64_t);

struct link {
	char name[256];
	int fd; /* packet socket, owned; -1: vde */
	VDECONN *conn;
	recv_function *vde_recv;
	send_function *vde_send;
	datafd_function *vde_datafd;
	struct link_mode mode;
	/* Only libraries of ours have these. */
	recv_batch_function *recv_batch, *rx_get;
	send_batch_function *send_batch, *tx_commit;
	rx_put_function *rx_put;
	tx_get_function *tx_get;
};

static int find_batch_calls(struct link *l, void *library, struct error *error)
{
	l->recv_batch = (recv_batch_function *)dlsym(library, "vde_recv_batch");
	l->send_batch = (send_batch_function *)dlsym(library, "vde_send_batch");
	l->rx_get = (recv_batch_function *)dlsym(library, "vde_rx_get");
	l->rx_put = (rx_put_function *)dlsym(library, "vde_rx_put");
	l->tx_get = (tx_get_function *)dlsym(library, "vde_tx_get");
	l->tx_commit = (send_batch_function *)dlsym(library, "vde_tx_commit");
	if (l->recv_batch && l->send_batch && l->rx_get && l->rx_put && l->tx_get && l->tx_commit)
		return 0;
	return error_set(error, ELIBBAD, "%s lacks the calls for batches", LIBRARY);
}

static int allow_super(const struct link *l, void *library, struct error *error)
{
	const uint64_t wanted = VDE_FEATURE_CSUM | VDE_FEATURE_TSO4;
	features_function *features = (features_function *)dlsym(library, "vde_features");

	if (features && (features(l->conn, wanted) & wanted) == wanted)
		return 0;
	return error_set(error, EOPNOTSUPP, "%s or this network has no super-frames", LIBRARY);
}

/* Not linked against the library: LD_LIBRARY_PATH alone decides whose it is. */
static int vde_start(struct link *l, const char *vnl, struct error *error)
{
	void *library = dlopen(LIBRARY, RTLD_NOW); /* for the life of the process */
	open_function *open_real;
	Dl_info info;
	int r;

	if (!library)
		return error_set(error, ELIBACC, "%s", dlerror());
	open_real = (open_function *)dlsym(library, "vde_open_real");
	l->vde_recv = (recv_function *)dlsym(library, "vde_recv");
	l->vde_send = (send_function *)dlsym(library, "vde_send");
	l->vde_datafd = (datafd_function *)dlsym(library, "vde_datafd");
	if (!open_real || !l->vde_recv || !l->vde_send || !l->vde_datafd)
		return error_set(error, ELIBBAD, "%s lacks the calls of VDE", LIBRARY);
	r = l->mode.batch ? find_batch_calls(l, library, error) : 0;
	if (r < 0)
		return r;
	if (dladdr((void *)open_real, &info))
		(void)snprintf(l->name, sizeof(l->name), "%s", info.dli_fname);
	l->conn = open_real((char *)vnl, (char *)"bench", LIBVDEPLUG_INTERFACE_VERSION, NULL);
	if (!l->conn)
		return error_set_errno(error, errno, "cannot open '%s'", vnl);
	return l->mode.super ? allow_super(l, library, error) : 0;
}

static int packet_start(struct link *l, const char *interface, struct error *error)
{
	int buffer = PACKET_BUFFER;
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(FRAME_TYPE),
		.sll_ifindex = (int)if_nametoindex(interface),
	};

	(void)snprintf(l->name, sizeof(l->name), "%s", interface);
	if (address.sll_ifindex == 0)
		return error_set(error, ENODEV, "there is no interface '%s'", interface);
	l->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return error_set_errno(error, errno, "no packet socket");
	if (setsockopt(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		(void)setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (bind(l->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set_errno(error, errno, "cannot bind to '%s'", interface);
	return 0;
}

int link_open(const char *where, const struct link_mode *mode, struct link **ret,
	      struct error *error)
{
	static const struct {
		const char *prefix;
		int (*start)(struct link *, const char *, struct error *);
	} kinds[] = { { "vde:", vde_start }, { "packet:", packet_start } };
	struct link *l = calloc(1, sizeof(*l));
	int r = error_set(error, EINVAL, "'%s' is neither vde:VNL nor packet:INTERFACE", where);

	if (!l)
		return -ENOMEM;
	l->fd = -1;
	l->mode = *mode;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strncmp(where, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			r = kinds[i].start(l, where + strlen(kinds[i].prefix), error);
	if (r < 0) {
		link_close(l);
		return r;
	}
	*ret = l;
	return 0;
}

/* A VDE connection is left to the end of the process: what is measured is over. */
void link_close(struct link *l)
{
	if (l && l->fd >= 0)
		(void)close(l->fd);
	free(l);
}

const char *link_name(const struct link *l)
{
	return l->name;
}

/* A packet socket also shows what the same host sends there. */
static ssize_t packet_recv(int fd, void *buf, size_t len)
{
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fd, buf, len, 0, (struct sockaddr *)&from, &from_len);

	return n > 0 && from.sll_pkttype == PACKET_OUTGOING ? 0 : n;
}

ssize_t link_recv(struct link *l, void *buf, size_t len)
{
	ssize_t n = l->conn ? l->vde_recv(l->conn, buf, len, 0) : packet_recv(l->fd, buf, len);

	return n < 0 ? -errno : n;
}

ssize_t link_send(struct link *l, const void *buf, size_t len)
{
	ssize_t n = l->conn ? l->vde_send(l->conn, buf, len, 0) : send(l->fd, buf, len, 0);

	return n < 0 ? -errno : n;
}

int link_fd(const struct link *l)
{
	return l->conn ? l->vde_datafd(l->conn) : l->fd;
}

/* --- batches ----------------------------------------------------------------------------- */

void link_batch_free(struct link_batch *b)
{
	free(b->memory);
	b->memory = NULL;
}

static unsigned batch_size(const struct link *l)
{
	return l->mode.batch ? (unsigned)l->mode.batch : 1;
}

/* Memory for the frames of a batch, whose length is that of the memory. */
static int batch_prepare(const struct link *l, struct link_batch *b)
{
	if (!b->memory) {
		b->stride = l->mode.super ? VDE_FRAME_MAX : FRAME_PLAIN_MAX;
		b->memory = calloc(batch_size(l), b->stride);
	}
	if (!b->memory)
		return -ENOMEM;
	for (unsigned i = 0; i < batch_size(l); i++)
		b->frames[i] = (struct vde_frame){ .data = b->memory + i * b->stride,
						   .len = b->stride };
	return 0;
}

/* Until there is something to read, or, where that is the sign for it, room to write. */
static int link_wait(const struct link *l)
{
	struct pollfd p = { .fd = link_fd(l), .events = POLLIN };

	return poll(&p, 1, -1) < 0 ? -errno : 0;
}

static int take_one(struct link *l, struct link_batch *b)
{
	ssize_t n;
	int r = batch_prepare(l, b);

	if (r < 0)
		return r;
	n = link_recv(l, b->frames[0].data, b->stride);
	if (n < 0)
		return (int)n;
	b->frames[0].len = (size_t)n;
	b->count = n > 1;
	return 0;
}

/* Without waiting; how many. */
static int take_batch(struct link *l, struct link_batch *b)
{
	int n = batch_prepare(l, b);

	b->count = 0;
	if (n < 0)
		return n;
	n = l->mode.borrow ? l->rx_get(l->conn, b->frames, batch_size(l))
			   : l->recv_batch(l->conn, b->frames, batch_size(l));
	b->count = n > 0 ? (unsigned)n : 0;
	return n < 0 ? -errno : n;
}

int link_take(struct link *l, struct link_batch *b)
{
	int n;

	b->count = 0;
	if (!l->mode.batch)
		return take_one(l, b);
	while ((n = take_batch(l, b)) == 0) {
		n = link_wait(l);
		if (n < 0)
			return n;
	}
	return MIN(n, 0);
}

void link_return(struct link *l, struct link_batch *b)
{
	if (l->mode.borrow && b->count)
		l->rx_put(l->conn, b->count);
	b->count = 0;
}

int link_drain(struct link *l, struct link_batch *b)
{
	int n = take_batch(l, b);

	link_return(l, b);
	return n;
}

int link_peek(struct link *l, struct link_batch *b)
{
	int n;

	if (l->mode.batch)
		return take_batch(l, b);
	n = take_one(l, b);
	return n < 0 ? n : (int)b->count;
}

/* The sign that there is room comes as input, and has to be taken. */
static int wait_room(struct link *l)
{
	struct vde_frame thrown = { .data = (uint8_t[FRAME_PLAIN_MAX]){ 0 },
				    .len = FRAME_PLAIN_MAX };
	int r = link_wait(l);

	if (r < 0)
		return r;
	return l->recv_batch(l->conn, &thrown, 1) < 0 ? -errno : 0;
}

int link_room(struct link *l, struct link_batch *b, size_t len)
{
	int n, r = 0;

	/* Before room is asked for: asking for the descriptor may take signals off the bell. */
	if (l->mode.batch)
		(void)link_fd(l);
	if (!l->mode.borrow) {
		b->count = batch_size(l);
		r = batch_prepare(l, b);
		for (unsigned i = 0; r == 0 && i < b->count; i++)
			b->frames[i].len = len;
		return r;
	}
	while ((n = l->tx_get(l->conn, b->frames, batch_size(l), len)) == 0 && r == 0)
		r = wait_room(l);
	b->count = n > 0 ? (unsigned)n : 0;
	return n < 0 ? -errno : r;
}

static int push_one(struct link *l, const struct vde_frame *frame)
{
	ssize_t r;

	do
		r = link_send(l, frame->data, frame->len);
	while (r == -EINTR || r == -EAGAIN || r == -ENOBUFS);
	return r < 0 ? (int)r : 0;
}

int link_push(struct link *l, struct link_batch *b)
{
	if (l->mode.borrow)
		return l->tx_commit(l->conn, b->frames, b->count) < 0 ? -errno : 0;
	if (!l->mode.batch)
		return push_one(l, &b->frames[0]);
	for (unsigned done = 0; done < b->count;) {
		int n = l->send_batch(l->conn, b->frames + done, b->count - done), r = 0;

		if (n < 0)
			return -errno;
		done += (unsigned)n;
		if (done < b->count)
			r = wait_room(l);
		if (r < 0 && r != -EINTR)
			return r;
	}
	return 0;
}
