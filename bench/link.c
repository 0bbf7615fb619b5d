/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/link.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
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

struct link {
	char name[256];
	int fd; /* packet socket, owned; -1: vde */
	VDECONN *conn;
	recv_function *vde_recv;
	send_function *vde_send;
};

/* Not linked against the library: LD_LIBRARY_PATH alone decides whose it is. */
static int vde_start(struct link *l, const char *vnl, struct error *error)
{
	void *library = dlopen(LIBRARY, RTLD_NOW); /* for the life of the process */
	open_function *open_real;
	Dl_info info;

	if (!library)
		return error_set(error, ELIBACC, "%s", dlerror());
	open_real = (open_function *)dlsym(library, "vde_open_real");
	l->vde_recv = (recv_function *)dlsym(library, "vde_recv");
	l->vde_send = (send_function *)dlsym(library, "vde_send");
	if (!open_real || !l->vde_recv || !l->vde_send)
		return error_set(error, ELIBBAD, "%s lacks the calls of VDE", LIBRARY);
	if (dladdr((void *)open_real, &info))
		(void)snprintf(l->name, sizeof(l->name), "%s", info.dli_fname);
	l->conn = open_real((char *)vnl, (char *)"bench", LIBVDEPLUG_INTERFACE_VERSION, NULL);
	return l->conn ? 0 : error_set_errno(error, errno, "cannot open '%s'", vnl);
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

int link_open(const char *where, struct link **ret, struct error *error)
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
