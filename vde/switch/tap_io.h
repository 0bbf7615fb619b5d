/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames in and out of TAP interfaces, the switch's own (-t) and those of plugs; tap_io.c tells how. */
#pragma once

#include "vde/switch/endpoint.h"

struct tap_buffers;

/* An endpoint whose data_fd is a TAP with IFF_VNET_HDR. */
struct tap_endpoint {
	struct endpoint ep;    /* first: it is what the switch knows */
	unsigned header_len;   /* bytes before each frame: 10 or 12 */
	struct offload_join *join; /* owned; NULL: frames are not joined */
};

static inline struct tap_endpoint *tap_of(struct endpoint *ep)
{
	return container_of(ep, struct tap_endpoint, ep);
}

/* Memory for all TAPs of the switch, touched when used. -ENOMEM. */
int tap_buffers_new(struct vde_switch *sw);
void tap_buffers_free(struct vde_switch *sw);

/* Fills in what all TAPs have in common; ep.takes is what the interface takes. -ENOMEM. */
int tap_endpoint_init(struct tap_endpoint *tap);

/* Ends what tap_endpoint_init() began; the descriptors are not its own. */
void tap_endpoint_done(struct tap_endpoint *tap);

struct takeover_message;

/* For pack() and unpack() of such a class: *ret is not in the loop yet. */
void tap_endpoint_pack(const struct endpoint *ep, struct takeover_message *m);
int tap_endpoint_unpack(const struct endpoint *common, const struct takeover_message *m,
			const struct endpoint_class *class, struct tap_endpoint **ret);

/*
 * What TUNSETOFFLOAD has to be told so that the interface hands over what FEATURES (VDE_RING_F_...) name.
 */
unsigned tap_offload_flags(uint64_t features);

/* Whether the kernel reads and writes TAPs without blocking, whatever their flags are. */
bool tap_has_nowait(int fd);

/* For the class of such an endpoint. */
int tap_write(struct endpoint *ep, struct mmsghdr *msgs, unsigned count);
void tap_flush(struct vde_switch *sw, struct endpoint *ep);

/* Takes what is there, up to the share of a turn. False: the interface is gone. */
bool tap_drain(struct vde_switch *sw, struct tap_endpoint *tap);
