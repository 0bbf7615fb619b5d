/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message of another switch, without descriptors, into a switch that has a port, a VLAN and trees. The
 * script is left out: its lines are those of fuzz_console.
 */
#include "fuzz.h"

#include "vde/switch/console.h"
#include "vde/switch/control.h"
#include "vde/switch/takeover.h"
#include "vde/switch/vlan.h"

static void start(struct vde_switch *sw)
{
	sw->settings = (struct switch_settings){
		.num_ports = 8, .hash_size = 16, .max_macs = 8, .queue_size = 65600,
		.buffer_size = 1, .max_frame = 1518, .max_pending = 2, .max_consoles = 2,
		.no_stdin = true, .daemon = DAEMON_INIT,
	};
	FUZZ_CHECK(loop_new(&sw->loop) == 0);
	FUZZ_CHECK(switch_init(sw) == 0);
	sw->dir = strdup("/nowhere");
	FUZZ_CHECK(sw->dir && control_adopt(sw, (gid_t)-1, false) == 0);
	FUZZ_CHECK(console_prepare(sw) == 0);
	FUZZ_CHECK(port_create(sw, 1, true, NULL) == 0 && vlan_create(sw, 5) == 0);
}

/* Each item lies within the message. */
static void walk(const struct takeover_message *m)
{
	struct cursor at = takeover_items(m), value;
	uint16_t type;

	while (takeover_next(&at, &type, &value)) {
		FUZZ_CHECK(!value.left || (value.at >= (uint8_t *)m->items.data &&
					   value.at + value.left <=
						   (uint8_t *)m->items.data + m->items.len));
		free(takeover_value_text(value));
	}
	FUZZ_CHECK(at.ok && !at.left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct takeover_message m = { 0 };
	struct takeover_unpack u = { 0 };
	struct vde_switch sw = { 0 };
	struct error error = { 0 };
	struct strbuf out = { 0 };

	takeover_begin(&m, 0);
	if (takeover_parse(data, size, &m) == 0) {
		walk(&m);
		start(&sw);
		if (m.kind != TAKEOVER_SCRIPT && takeover_unpack(&sw, &u, &m, &error) < 0)
			FUZZ_CHECK(error.code > 0 && error.text[0]);
		takeover_script(&sw, &out);
		FUZZ_CHECK(out.error == 0);
		strbuf_done(&out);
		switch_done(&sw);
	}
	takeover_message_done(&m);
	return 0;
}
