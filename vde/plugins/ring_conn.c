/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vde/plugins/ring_conn.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/cleanup.h"

/*
 * A second writer of our own bell. Without it the bell would be "hung up" when the switch ends, and
 * programs that only look at vde_datafd() would be called for that without end. It also serves to
 * signal ourselves. Without /proc both are done in worse ways.
 */
static int open_echo(int bell_fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", bell_fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

int ring_conn_init(struct ring_conn *c, struct ring_port *port)
{
	struct ring_shared_state *shared;
	int r;

	*c = (struct ring_conn)RING_CONN_INIT;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	r = ring_rx_init(&shared->rx, &port->in);
	if (r == 0)
		r = ring_tx_init(&shared->tx, &port->out, port->max_frame);
	if (r < 0) {
		(void)munmap(shared, sizeof(*shared));
		return r;
	}
	c->shared = shared;
	c->echo_fd = open_echo(port->bell_fd);
	c->port = *port;
	*port = (struct ring_port)RING_PORT_INIT;
	return 0;
}

void ring_conn_done(struct ring_conn *c)
{
	if (!c->shared)
		return;
	(void)munmap(c->shared, sizeof(*c->shared));
	cleanup_close(&c->echo_fd);
	ring_port_done(&c->port);
	*c = (struct ring_conn)RING_CONN_INIT;
}

/*
 * What the library can do for the program was offered when the port was asked for, which is all: so
 * the switch, of which there is one, need not cut for each of its plugs. What the program does not take is
 * cut when it is received. What it sends passes if the switch takes it.
 */
uint64_t ring_conn_features(struct ring_conn *c, uint64_t features)
{
	struct ring_rx *rx = &c->shared->rx;
	uint64_t native = features & c->port.peer_features & VDE_RING_F_ALL;

	if (!(native & VDE_FEATURE_CSUM))
		native = 0;
	if (shared_lock_take(&rx->lock) >= 0) {
		rx->features = features;
		shared_lock_drop(&rx->lock);
	}
	if (shared_lock_take(&c->shared->tx.lock) >= 0) {
		c->shared->tx.max_plain = MIN(c->port.max_frame, (uint32_t)(features ? VNET_FRAME_MAX :
									    VDE_ETHBUFSIZE));
		shared_lock_drop(&c->shared->tx.lock);
	}
	return native | VDE_FEATURE_RING;
}

bool ring_conn_gone(const struct ring_conn *c)
{
	struct pollfd p = { .fd = c->port.control_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

bool ring_conn_waits(const struct ring_conn *c)
{
	return !(fcntl(c->port.bell_fd, F_GETFL) & O_NONBLOCK);
}
