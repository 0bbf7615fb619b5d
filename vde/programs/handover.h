/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interface that the network serves by itself (vde_open_tap(3)): this process carries nothing, it
 * only waits for the end.
 */
#pragma once

#include <libvdeplug.h>

#include "base/error.h"
#include "base/loop.h"

struct handover;

/* Called once: the network has let go of the interface, or the interface itself is gone. */
typedef void handover_ended(void *context, bool interface_gone);

/*
 * Offers the TAP (borrowed until handover_free()) to the network VNL. -EOPNOTSUPP and all other errors:
 * it was not taken, and its offloads are as tap_open() had set them, so that frames can be carried.
 */
int handover_new(struct loop *loop, const char *vnl, const char *description,
		 struct vde_open_args *args, int tap_fd, handover_ended *ended, void *context,
		 struct handover **ret);

/* Takes the interface back; NULL does nothing. */
void handover_free(struct handover *handover);
