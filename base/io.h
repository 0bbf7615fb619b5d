/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors: complete reads and writes, flags, local sockets. Negative errno on failure. */
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "util.h"

/* Writes all of it, through EINTR and short writes; waits (poll) on a non-blocking FD. */
int io_write_all(int fd, const void *data, size_t len);

/* Reads until LEN bytes or end of file; returns the count. */
ssize_t io_read_full(int fd, void *data, size_t len);

/* read(2) repeated on EINTR; returns the count (0 at end of file) or a negative errno. */
ssize_t io_read(int fd, void *data, size_t len);

int io_set_nonblock(int fd, bool on);
int io_set_cloexec(int fd, bool on);

/*
 * Fills ADDR with PATH; -ENAMETOOLONG when it does not fit whole, -ENOENT when it is empty.
 * *ret_len gets the length to give to bind(2) or connect(2).
 */
int io_unix_address(struct sockaddr_un *addr, const char *path, socklen_t *ret_len);

/*
 * Opens a close-on-exec AF_UNIX socket of TYPE (SOCK_STREAM, SOCK_SEQPACKET) that listens at PATH.
 * A socket file that nobody answers on (left by a crash) is replaced; a live one gives
 * -EADDRINUSE. The file has MODE before it can be connected to, and group GID unless that is
 * (gid_t)-1. Returns the descriptor.
 */
int io_listen_unix(const char *path, int type, mode_t mode, gid_t gid, int backlog);

/* Connects the AF_UNIX socket FD to PATH. */
int io_connect_path(int fd, const char *path);

/* Connects a close-on-exec AF_UNIX socket of TYPE to PATH. Returns the descriptor. */
int io_connect_unix(const char *path, int type);

/* True when somebody accepts connections at PATH (AF_UNIX, TYPE). */
bool io_unix_alive(const char *path, int type);

/*
 * Takes the descriptors that came with a message (SCM_RIGHTS, unix(7)): appends them to FDS, where
 * *count of MAX stand already. Those that find no place are closed.
 */
void io_take_fds(struct msghdr *msg, int *fds, size_t max, size_t *count);

/*
 * True when a connection on which nothing more is expected has ended. What comes nevertheless is
 * thrown away. Does not block.
 */
bool io_connection_ended(int fd);
