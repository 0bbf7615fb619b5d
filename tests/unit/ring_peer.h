/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plug's connection through rings, and what it is plugged into, both in the hands of the test. */
#pragma once

#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "vde/plugins/ring_conn.h"

struct ring_peer {
	struct ring_port server;
	struct ring_conn conn;
	/* until they have met */
	int listen_fd;
	uint64_t takes;
	uint32_t size;
};

static inline void *ring_peer_serve(void *object)
{
	struct ring_peer *peer = object;
	const uint32_t sizes[2] = { peer->size, peer->size };
	struct vde_ring_message_parts hello, welcome = { .max_frame = VNET_FRAME_MAX, .port = 1 };
	struct ring_port_client_fds client;
	int fd = accept4(peer->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_true(fd >= 0);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(ring_port_receive(fd, &hello, NULL), 0);
	assert_int_equal(ring_port_make(&peer->server, sizes, &client), 0);
	welcome.required = welcome.offered = peer->takes;
	assert_int_equal(ring_port_welcome(&peer->server, &welcome, &fd, &client), 0);
	return NULL;
}

/* TAKES: features of the server; SIZE: of each ring. */
static inline struct ring_peer *ring_peer_new(uint64_t takes, uint32_t size)
{
	struct vde_ring_message_parts welcome, hello = {
		.message = VDE_RING_HELLO, .offered = VDE_RING_F_ALL,
	};
	struct ring_peer *peer = calloc(1, sizeof(*peer));
	struct ring_port port;
	struct error error = { 0 };
	char directory[64], path[80];
	struct sockaddr_un address;
	pthread_t thread;
	socklen_t len;

	assert_non_null(peer);
	peer->takes = takes;
	peer->size = size;
	(void)snprintf(path, sizeof(path), "%s/ring", test_directory(directory));
	assert_int_equal(io_unix_address(&address, path, &len), 0);
	peer->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer->listen_fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(peer->listen_fd, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, ring_peer_serve, peer), 0);
	assert_int_equal(ring_port_join(path, &hello, -1, &port, &welcome, &error), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(ring_conn_init(&peer->conn, &port), 0);
	(void)close(peer->listen_fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
	return peer;
}

static inline void ring_peer_free(struct ring_peer *peer)
{
	ring_conn_done(&peer->conn);
	ring_port_done(&peer->server);
	free(peer);
}

/* --- the server's hands --------------------------------------------------------------------- */

/* Puts a frame into the ring; not published yet. False: there is no room. */
static inline bool ring_peer_put(struct ring_peer *peer, const struct vnet_header *vnet,
				 const void *frame, size_t len)
{
	struct vde_ring_frame head = { .reserved = 0 };
	uint8_t *to = ring_reserve(&peer->server.out, (uint32_t)(sizeof(head) + len));

	if (!to)
		return false;
	if (vnet)
		head.vnet = *vnet;
	memcpy(to, &head, sizeof(head));
	memcpy(to + sizeof(head), frame, len);
	ring_commit(&peer->server.out, (uint32_t)(sizeof(head) + len), RING_FRAME);
	return true;
}

/* Publishes; the plug is rung if it sleeps. */
static inline void ring_peer_publish(struct ring_peer *peer)
{
	if (ring_publish(&peer->server.out))
		(void)ring_port_ring(&peer->server);
}

/* A plain frame of LEN bytes with NUMBER in it, at least 18 bytes. */
static inline size_t numbered(uint8_t *frame, uint32_t number, size_t len)
{
	memset(frame, (int)(number & 0x7f), len);
	memcpy(frame + 14, &number, sizeof(number));
	return len;
}

static inline uint32_t number_of(const void *frame)
{
	uint32_t number;

	memcpy(&number, (const uint8_t *)frame + 14, sizeof(number));
	return number;
}

static inline bool is_numbered(const void *data, size_t len, uint32_t number)
{
	const uint8_t *frame = data;

	for (size_t i = 0; i < len; i++)
		if ((i < 14 || i >= 18) && frame[i] != (number & 0x7f))
			return false;
	return number_of(frame) == number;
}

static inline void ring_peer_put_number(struct ring_peer *peer, uint32_t number, size_t len)
{
	uint8_t frame[2048];

	assert_true(ring_peer_put(peer, NULL, frame, numbered(frame, number, len)));
}

/* Takes one record's frame; NULL when there is none. Its room is free at the next call of release. */
static inline const uint8_t *ring_peer_take(struct ring_peer *peer, struct vde_ring_frame *ret_head,
					    uint32_t *ret_len)
{
	const uint8_t *record;
	uint16_t type;

	record = ring_next(&peer->server.in, ret_len, &type);
	if (!record)
		return NULL;
	assert_int_equal(type, RING_FRAME);
	assert_true(*ret_len > sizeof(*ret_head));
	ring_consume(&peer->server.in, *ret_len);
	memcpy(ret_head, record, sizeof(*ret_head));
	*ret_len -= (uint32_t)sizeof(*ret_head);
	return record + sizeof(*ret_head);
}

static inline void ring_peer_release(struct ring_peer *peer)
{
	if (ring_release(&peer->server.in))
		(void)ring_port_ring(&peer->server);
}

/* --- the plug's descriptor ------------------------------------------------------------------ */

static inline bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}
