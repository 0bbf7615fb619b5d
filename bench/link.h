/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the load goes: a VDE network through whichever libvdeplug.so.2 the dynamic linker finds, or
 * a network interface through a packet socket. Both block, and move one frame a call.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct link;

/*
 * WHERE is "vde:VNL" or "packet:INTERFACE". Returns 0, or a negative errno with the sentence in
 * ERROR; *ret is owned by the caller.
 */
int link_open(const char *where, struct link **ret, struct error *error);

/* Closes L; NULL is fine. */
void link_close(struct link *l);

/* The file of the library in use, or the interface. */
const char *link_name(const struct link *l);

/* The length of a frame, 0 or 1 when there was none, or a negative errno. Blocks. */
ssize_t link_recv(struct link *l, void *buf, size_t len);

/* As write(2), with a negative errno. Blocks as the link does. */
ssize_t link_send(struct link *l, const void *buf, size_t len);
