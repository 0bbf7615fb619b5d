/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that a switch has, as messages: the old switch's half of a takeover. */
#include <errno.h>

#include "vde/switch/capture.h"
#include "vde/switch/console.h"
#include "vde/switch/control.h"
#include "vde/switch/endpoint.h"
#include "vde/switch/mactable.h"
#include "vde/switch/stp.h"
#include "vde/switch/takeover.h"
#include "vde/switch/vlan.h"

#define MACS_A_MESSAGE   (TAKEOVER_CHUNK / sizeof(struct takeover_mac))
#define MESSAGE_OVERHEAD 64 /* of header and item, more than it is */

_Static_assert(OUTQ_FRAME_MAX + MESSAGE_OVERHEAD <= TAKEOVER_MAX, "a frame fits in a message");

const struct takeover_field takeover_endpoint_fields[TAKEOVER_ENDPOINT_FIELDS] = {
	TAKEOVER_FIELD(struct endpoint, id),
	TAKEOVER_FIELD(struct endpoint, user),
	TAKEOVER_FIELD(struct endpoint, max_in),
	TAKEOVER_FIELD(struct endpoint, max_out),
	TAKEOVER_FIELD(struct endpoint, takes),
};

const struct takeover_field takeover_macs_fields[TAKEOVER_MACS_FIELDS] = {
	TAKEOVER_FIELD(struct mac_table, seed),
	TAKEOVER_FIELD(struct mac_table, not_learned),
	TAKEOVER_FIELD(struct mac_table, moves_refused),
};

static const struct takeover_field counter_fields[] = {
	TAKEOVER_FIELD(struct counters, in.packets),
	TAKEOVER_FIELD(struct counters, in.bytes),
	TAKEOVER_FIELD(struct counters, out.packets),
	TAKEOVER_FIELD(struct counters, out.bytes),
	TAKEOVER_FIELD(struct counters, super_in),
	TAKEOVER_FIELD(struct counters, super_out),
};

/* --- counters -------------------------------------------------------------------------------- */

void takeover_put_counters(struct takeover_message *m, const struct counters *counters)
{
	takeover_put_fields(m, ITEM_COUNTERS, counters, counter_fields, ARRAY_SIZE(counter_fields));
	for (int reason = 0; reason < DROP_NUM_REASONS; reason++) {
		const char *name = drop_reason_name(reason);
		char value[64];
		size_t len = strnlen(name, sizeof(value) - sizeof(uint64_t));

		if (!counters->drops[reason])
			continue;
		memcpy(mempcpy(value, &counters->drops[reason], sizeof(uint64_t)), name, len);
		takeover_put(m, ITEM_DROP, value, sizeof(uint64_t) + len);
	}
}

int takeover_get_counters(const struct takeover_message *m, struct counters *counters)
{
	struct cursor at = takeover_items(m), value;
	uint16_t type;

	while (takeover_next(&at, &type, &value)) {
		auto_free char *name = NULL;
		uint64_t number;
		int reason;

		if (type != ITEM_DROP || !cursor_copy(&value, &number, sizeof(number)))
			continue;
		name = takeover_value_text(value);
		reason = name ? drop_reason_parse(name) : -1;
		if (reason >= 0) /* one that this program does not know is not shown either */
			counters->drops[reason] = number;
	}
	return takeover_get_fields(m, ITEM_COUNTERS, counters, counter_fields,
				   ARRAY_SIZE(counter_fields));
}

static int pack_counters(const struct takeover_link *link, struct takeover_message *m,
			 enum takeover_kind kind, unsigned number, const struct counters *counters)
{
	takeover_begin(m, kind);
	takeover_put_number(m, ITEM_NUMBER, number);
	takeover_put_counters(m, counters);
	return takeover_send(link, m);
}

static int pack_all_counters(const struct vde_switch *sw, const struct takeover_link *link,
			     struct takeover_message *m)
{
	int r = 0;

	for (unsigned number = 0; r == 0 && number <= sw->num_ports; number++)
		if (sw->ports[number])
			r = pack_counters(link, m, TAKEOVER_PORT, number,
					  &sw->ports[number]->counters);
	for (unsigned id = 0; r == 0 && id < VLAN_COUNT; id++)
		if (sw->vlans[id])
			r = pack_counters(link, m, TAKEOVER_VLAN, id, &sw->vlans[id]->counters);
	return r;
}

/* --- the script ------------------------------------------------------------------------------ */

/* In pieces of whole lines. */
static int pack_script(const struct vde_switch *sw, const struct takeover_link *link,
		       struct takeover_message *m)
{
	auto_strbuf struct strbuf script = { 0 };
	const char *at, *end;
	int r = 0;

	takeover_script(sw, &script);
	if (script.error)
		return script.error;
	at = script.data;
	end = at + script.len;
	while (r == 0 && at < end) {
		size_t len = MIN((size_t)(end - at), (size_t)TAKEOVER_CHUNK);
		const char *line_end = memrchr(at, '\n', len);

		if (!line_end)
			return -EMSGSIZE;
		len = (size_t)(line_end + 1 - at);
		takeover_begin(m, TAKEOVER_SCRIPT);
		takeover_put(m, ITEM_TEXT, at, len);
		r = takeover_send(link, m);
		at += len;
	}
	return r;
}

/* --- endpoints ------------------------------------------------------------------------------- */

/* The frames that wait, as many in a message as fit. */
static int pack_queue(const struct endpoint *ep, const struct takeover_link *link,
		      struct takeover_message *m)
{
	struct outq_place place = { 0 };
	struct iovec frame;
	int r = 0;

	takeover_begin(m, TAKEOVER_QUEUE);
	while (r == 0 && outq_next(&ep->queue, &place, &frame)) {
		if (m->items.len + frame.iov_len + MESSAGE_OVERHEAD > TAKEOVER_MAX) {
			r = takeover_send(link, m);
			takeover_begin(m, TAKEOVER_QUEUE);
		}
		takeover_put(m, ITEM_FRAME, frame.iov_base, frame.iov_len);
	}
	return r == 0 && m->items.len ? takeover_send(link, m) : r;
}

static int pack_endpoint(const struct endpoint *ep, const struct takeover_link *link,
			 struct takeover_message *m, struct error *error)
{
	int r;

	if (!ep->class->unpack)
		return error_set(error, EOPNOTSUPP,
				 "port %u: an endpoint of the kind '%s' cannot be passed on",
				 ep->port->number, ep->class->transport);
	takeover_begin(m, TAKEOVER_ENDPOINT);
	takeover_put_text(m, ITEM_TRANSPORT, ep->class->transport);
	takeover_put_number(m, ITEM_NUMBER, ep->port->number);
	takeover_put_fields(m, ITEM_NUMBERS, ep, takeover_endpoint_fields,
			    TAKEOVER_ENDPOINT_FIELDS);
	takeover_put_text(m, ITEM_DESCRIPTION, ep->descr);
	takeover_put_text(m, ITEM_PATH, ep->path);
	takeover_put_counters(m, &ep->counters);
	takeover_put_number(m, ITEM_FLAG, ep->control_fd >= 0);
	takeover_put_fd(m, ep->data_fd);
	if (ep->control_fd >= 0)
		takeover_put_fd(m, ep->control_fd);
	if (ep->class->pack)
		ep->class->pack(ep, m);
	r = takeover_send(link, m);
	return r == 0 ? pack_queue(ep, link, m) : r;
}

static int pack_endpoints(const struct vde_switch *sw, const struct takeover_link *link,
			  struct takeover_message *m, struct error *error)
{
	int r = 0;

	for (unsigned number = 0; number <= sw->num_ports; number++) {
		const struct endpoint *ep = sw->ports[number] ? sw->ports[number]->endpoints : NULL;

		for (; r == 0 && ep; ep = ep->next_on_port)
			r = pack_endpoint(ep, link, m, error);
	}
	return r;
}

/* --- addresses ------------------------------------------------------------------------------- */

static int pack_macs(const struct mac_table *t, const struct takeover_link *link,
		     struct takeover_message *m)
{
	struct takeover_mac entries[MACS_A_MESSAGE];
	size_t i = 0;
	int r = 0;

	do {
		size_t count = 0;

		for (; i < t->num_slots && count < MACS_A_MESSAGE; i++)
			if (t->entries[i].used)
				entries[count++] = (struct takeover_mac){
					.key = t->entries[i].key, .seen = t->entries[i].seen,
					.port = t->entries[i].port,
				};
		takeover_begin(m, TAKEOVER_MACS);
		takeover_put_fields(m, ITEM_NUMBERS, t, takeover_macs_fields, TAKEOVER_MACS_FIELDS);
		takeover_put(m, ITEM_MAC_ENTRIES, entries, count * sizeof(entries[0]));
		r = takeover_send(link, m);
	} while (r == 0 && i < t->num_slots);
	return r;
}

int takeover_pack(const struct vde_switch *sw, const struct takeover_link *link,
		  struct error *error)
{
	auto_takeover_message struct takeover_message m = { 0 };
	int r = pack_script(sw, link, &m);

	if (r == 0)
		r = pack_all_counters(sw, link, &m);
	if (r == 0)
		r = pack_endpoints(sw, link, &m, error);
	if (r == 0)
		r = pack_macs(sw->macs, link, &m);
	if (r == 0)
		r = stp_pack(sw, link);
	if (r == 0)
		r = control_pack(sw, link);
	if (r == 0)
		r = console_pack(sw, link);
	if (r == 0)
		r = capture_pack(sw, link);
	return r < 0 && !error->code ? error_set_errno(error, -r, "sending the state") : r;
}
