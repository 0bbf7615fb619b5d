/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages into the tables of a switch: the successor's half of a takeover. Nothing that passes is read
 * from or written to here; the loop does that when it turns.
 */
#include <errno.h>
#include <stdlib.h>

#include "vde/switch/capture.h"
#include "vde/switch/console.h"
#include "vde/switch/control.h"
#include "vde/switch/endpoint.h"
#include "vde/switch/forward.h"
#include "vde/switch/mactable.h"
#include "vde/switch/plug_device.h"
#include "vde/switch/plug_dgram.h"
#include "vde/switch/plug_ring.h"
#include "vde/switch/stp.h"
#include "vde/switch/takeover.h"
#include "vde/switch/tap.h"
#include "vde/switch/vlan.h"

/* All classes of endpoints; found by their transport. */
static const struct endpoint_class *const classes[] = {
	&plug_device_class,
	&plug_dgram_class,
	&plug_ring_class,
	&tap_class,
};

static int bad(struct error *error, const char *what)
{
	return error_set(error, EBADMSG, "the running switch has sent nonsense about %s", what);
}

/* --- the script, counters ------------------------------------------------------------------ */

static int run_line(struct vde_switch *sw, const char *line, struct error *error)
{
	auto_strbuf struct strbuf out = { 0 };
	int r = console_run_line(sw, NULL, line, &out);

	return r < 0 ? error_set_errno(error, -r, "the setting '%s' cannot be made again", line) : 0;
}

static int unpack_script(struct vde_switch *sw, struct takeover_unpack *u,
			 struct takeover_message *m, struct error *error)
{
	auto_free char *script = takeover_get_text(m, ITEM_TEXT);
	char *rest = script, *line;
	int r = script ? 0 : bad(error, "its settings");

	(void)u;
	while (r == 0 && (line = strsep(&rest, "\n")) != NULL)
		if (*line)
			r = run_line(sw, line, error);
	return r;
}

static int unpack_port(struct vde_switch *sw, struct takeover_unpack *u,
		       struct takeover_message *m, struct error *error)
{
	struct port *port = port_find(sw, (long long)takeover_get_number(m, ITEM_NUMBER));

	(void)u;
	if (!port || takeover_get_counters(m, &port->counters) < 0)
		return bad(error, "a port");
	return 0;
}

static int unpack_vlan(struct vde_switch *sw, struct takeover_unpack *u,
		       struct takeover_message *m, struct error *error)
{
	struct vlan *vlan = vlan_find(sw, (long long)takeover_get_number(m, ITEM_NUMBER));

	(void)u;
	if (!vlan || takeover_get_counters(m, &vlan->counters) < 0)
		return bad(error, "a VLAN");
	return 0;
}

/* --- endpoints ------------------------------------------------------------------------------- */

static const struct endpoint_class *class_of(const struct takeover_message *m)
{
	auto_free char *transport = takeover_get_text(m, ITEM_TRANSPORT);

	for (size_t i = 0; transport && i < ARRAY_SIZE(classes); i++)
		if (str_equal(classes[i]->transport, transport))
			return classes[i];
	return NULL;
}

/* What all endpoints have; the descriptors are the caller's. */
static int unpack_common(struct takeover_message *m, struct endpoint *common)
{
	auto_free char *descr = takeover_get_text(m, ITEM_DESCRIPTION);
	int r = takeover_get_fields(m, ITEM_NUMBERS, common, takeover_endpoint_fields,
				    TAKEOVER_ENDPOINT_FIELDS);

	if (r == 0)
		r = takeover_get_counters(m, &common->counters);
	if (r < 0)
		return r;
	(void)str_copy(common->descr, sizeof(common->descr), descr ? descr : "");
	common->path = takeover_get_text(m, ITEM_PATH);
	common->data_events = EPOLLIN;
	common->data_fd = takeover_take_fd(m);
	if (takeover_get_number(m, ITEM_FLAG))
		common->control_fd = takeover_take_fd(m);
	return common->data_fd < 0 ? -EBADMSG : 0;
}

static void drop_common(struct endpoint *common)
{
	cleanup_close(&common->data_fd);
	cleanup_close(&common->control_fd);
	free(common->path);
}

static int unpack_endpoint(struct vde_switch *sw, struct takeover_unpack *u,
			   struct takeover_message *m, struct error *error)
{
	struct port *port = port_find(sw, (long long)takeover_get_number(m, ITEM_NUMBER));
	const struct endpoint_class *class = class_of(m);
	struct endpoint common = { .data_fd = -1, .control_fd = -1 };
	int r;

	u->ep = NULL;
	if (!class)
		return error_set(error, EOPNOTSUPP,
				 "the running switch has a kind of endpoint that this program does not "
				 "know");
	r = port ? unpack_common(m, &common) : -EBADMSG;
	if (r == 0)
		r = class->unpack(sw, &common, m, &u->ep);
	if (r < 0) {
		drop_common(&common);
		return r == -EBADMSG ? bad(error, "an endpoint")
				     : error_set_errno(error, -r, "an endpoint of port %u", port->number);
	}
	endpoint_attach(sw, port, u->ep);
	u->num_endpoints++;
	return 0;
}

static int unpack_queue(struct vde_switch *sw, struct takeover_unpack *u,
			struct takeover_message *m, struct error *error)
{
	struct cursor at = takeover_items(m), value;
	uint16_t type;

	if (!u->ep)
		return bad(error, "a queue");
	while (takeover_next(&at, &type, &value))
		if (type == ITEM_FRAME && value.left)
			endpoint_requeue(sw, u->ep, value.at, value.left);
	return 0;
}

/* --- addresses, spanning trees ------------------------------------------------------------------ */

static int unpack_macs(struct vde_switch *sw, struct takeover_unpack *u,
		       struct takeover_message *m, struct error *error)
{
	struct takeover_mac entry;
	struct cursor entries;
	uint64_t seed = sw->macs->seed;

	(void)u;
	if (takeover_get_fields(m, ITEM_NUMBERS, sw->macs, takeover_macs_fields,
				TAKEOVER_MACS_FIELDS) < 0 ||
	    (sw->macs->count && sw->macs->seed != seed) ||
	    !takeover_get(m, ITEM_MAC_ENTRIES, &entries))
		return bad(error, "addresses");
	while (cursor_copy(&entries, &entry, sizeof(entry)))
		if (entry.port <= sw->num_ports) /* where the table is smaller, some have no place */
			(void)mac_table_restore(sw->macs, entry.key, (uint16_t)entry.port,
						entry.seen);
	forward_gc_restart(sw);
	return 0;
}

static int unpack_tree(struct vde_switch *sw, struct takeover_unpack *u,
		       struct takeover_message *m, struct error *error)
{
	(void)u;
	return stp_unpack(sw, m) < 0 ? bad(error, "a spanning tree") : 0;
}

/* --- sockets and consoles ------------------------------------------------------------------------ */

static int unpack_door(struct vde_switch *sw, struct takeover_unpack *u,
		       struct takeover_message *m, struct error *error)
{
	(void)u;
	return control_unpack_door(sw, m) < 0 ? bad(error, "a listening socket") : 0;
}

static int unpack_pending(struct vde_switch *sw, struct takeover_unpack *u,
			  struct takeover_message *m, struct error *error)
{
	(void)u;
	return control_unpack_pending(sw, m) < 0 ? bad(error, "a connection") : 0;
}

static int unpack_mgmt(struct vde_switch *sw, struct takeover_unpack *u,
		       struct takeover_message *m, struct error *error)
{
	(void)u;
	return console_unpack_mgmt(sw, m) < 0 ? bad(error, "its management socket") : 0;
}

static int unpack_console(struct vde_switch *sw, struct takeover_unpack *u,
			  struct takeover_message *m, struct error *error)
{
	u->console = NULL;
	return console_unpack(sw, m, &u->console) < 0 ? bad(error, "a console") : 0;
}

static int unpack_console_bytes(struct vde_switch *sw, struct takeover_unpack *u,
				struct takeover_message *m, struct error *error)
{
	(void)sw;
	return !u->console || console_unpack_bytes(u->console, m) < 0 ? bad(error, "a console") : 0;
}

static int unpack_capture(struct vde_switch *sw, struct takeover_unpack *u,
			  struct takeover_message *m, struct error *error)
{
	u->capture = NULL;
	return capture_unpack(sw, m, &u->capture, error);
}

static int unpack_capture_bytes(struct vde_switch *sw, struct takeover_unpack *u,
				struct takeover_message *m, struct error *error)
{
	(void)sw;
	return !u->capture || capture_unpack_bytes(u->capture, m) < 0 ? bad(error, "a capture") : 0;
}

static int (*const kinds[])(struct vde_switch *sw, struct takeover_unpack *u,
			    struct takeover_message *m, struct error *error) = {
	[TAKEOVER_SCRIPT] = unpack_script,
	[TAKEOVER_PORT] = unpack_port,
	[TAKEOVER_VLAN] = unpack_vlan,
	[TAKEOVER_ENDPOINT] = unpack_endpoint,
	[TAKEOVER_QUEUE] = unpack_queue,
	[TAKEOVER_MACS] = unpack_macs,
	[TAKEOVER_TREE] = unpack_tree,
	[TAKEOVER_DOOR] = unpack_door,
	[TAKEOVER_MGMT] = unpack_mgmt,
	[TAKEOVER_PENDING] = unpack_pending,
	[TAKEOVER_CONSOLE] = unpack_console,
	[TAKEOVER_CONSOLE_BYTES] = unpack_console_bytes,
	[TAKEOVER_CAPTURE] = unpack_capture,
	[TAKEOVER_CAPTURE_BYTES] = unpack_capture_bytes,
};

int takeover_unpack(struct vde_switch *sw, struct takeover_unpack *u, struct takeover_message *m,
		    struct error *error)
{
	if (m->kind >= ARRAY_SIZE(kinds) || !kinds[m->kind])
		return error_set(error, EPROTONOSUPPORT,
				 "the running switch has something that this program does not know "
				 "(message %u): take it over with a newer one", m->kind);
	return kinds[m->kind](sw, u, m, error);
}
