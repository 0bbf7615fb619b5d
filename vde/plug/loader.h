/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding and opening the plug-in of a scheme. */
#pragma once

#include <stdatomic.h>

#include <libvdeplug_mod.h>

#include "base/error.h"
#include "vde/plug/locator.h"

struct plug_batch;

/* What conn->module points to: begins with the plug-in's operations, as plug-ins expect. */
struct plug_module {
	struct vdeplug_module ops;         /* a copy */
	const struct vdeplug_ops_ext *ext; /* in the plug-in; NULL: it has none */
	bool frames_only;                  /* the caller takes any result for a frame's length */
	/* of batch.c */
	atomic_uint ext_lacks;             /* members of ext that this connection cannot use */
	_Atomic uint64_t native;           /* features that were asked for and that the plug-in has */
	atomic_bool cuts;                  /* others were asked for: the library does that part */
	_Atomic(struct plug_batch *) batch; /* owned; NULL until it is needed */
};

/* What the caller of vde_open() asked for, beside the locator. */
struct plug_request {
	char *descr; /* changed in place by some plug-ins */
	int interface_version;
	struct vde_open_args *args;
	bool frames_only; /* see struct plug_module */
	const int *tap;   /* the TAP to hand over; NULL: frames are wanted */
};

/*
 * Opens L with the first plug-in for its scheme on the search path that does not say
 * EPROTONOSUPPORT. The connection's module is owned by it: plug_unload() ends both. When the plug-in
 * itself failed, ERROR is left alone (it has recorded its own sentence, or none).
 */
int plug_load(const struct locator *l, const struct plug_request *request, VDECONN **ret,
	      struct error *error);

/* Closes CONN; returns what its plug-in returned. The object stays loaded unless that was 0. */
int plug_unload(VDECONN *conn);
