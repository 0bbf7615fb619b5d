/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live captures of a port or the whole switch as pcap-ng; capture.c tells how. */
#pragma once

#include "base/error.h"
#include "vde/switch/port.h"

struct console;
struct json;
struct strbuf;

int capture_new(struct vde_switch *sw);
/* Ends all captures; what a reader does not take at once is lost. */
void capture_free(struct vde_switch *sw);

/* True while some capture wants frames of PORT: asked before capture_frame(). */
bool capture_wants(const struct vde_switch *sw, const struct port *port);

enum capture_direction {
	CAPTURE_IN,  /* the switch received it on PORT, as it came */
	CAPTURE_OUT, /* it leaves on PORT; shown before the output tag change */
};

void capture_frame(struct vde_switch *sw, const struct port *port,
		   enum capture_direction direction, const uint8_t *data, size_t len);

#define CAPTURE_MAX       16                /* at the same time */
#define CAPTURE_BUFFER    (4 * 1024 * 1024) /* bytes that wait for one reader at most */
#define CAPTURE_SNAP_LEN  262144            /* bytes of a frame, when nothing is said */
#define CAPTURE_ALL_PORTS (-1)

struct capture_request {
	int port;           /* CAPTURE_ALL_PORTS: the whole switch, each frame once, as it comes in */
	uint32_t snap_len;  /* bytes of each frame at most */
	const char *filter; /* pcap-filter(7), borrowed; "": everything */
};

/*
 * Begins to write to the file or FIFO at PATH. Returns the capture's number (1 or more), or a negative
 * errno. -EEXIST: another capture writes there.
 */
int capture_start(struct vde_switch *sw, const struct capture_request *request, const char *path,
		  struct error *error);

/* The same, to the connection of CONSOLE, which is taken away from it on success. */
int capture_stream(struct vde_switch *sw, const struct capture_request *request,
		   struct console *console, struct error *error);

/* Ends it: statistics are written, and the file is closed when the reader has all. -ENOENT. */
int capture_stop(struct vde_switch *sw, unsigned number);

/* Appends what there is, one way or the other. */
void capture_print(const struct vde_switch *sw, struct strbuf *out, struct json *json);

struct capture;
struct takeover_link;
struct takeover_message;

/* For a takeover: sends all captures, with what waits for their readers. */
int capture_pack(const struct vde_switch *sw, const struct takeover_link *link);

/* The successor's; *ret is borrowed, and gets what waited. The filters are compiled again. */
int capture_unpack(struct vde_switch *sw, struct takeover_message *m, struct capture **ret,
		   struct error *error);
int capture_unpack_bytes(struct capture *capture, const struct takeover_message *m);
