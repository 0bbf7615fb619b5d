/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts that are off: each function goes when its part's own file lands. */
#include <errno.h>

#include "base/util.h"
#include "vde/switch/capture.h"
#include "vde/switch/console.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/sandbox.h"

const struct command_table plugin_commands, capture_commands;

int capture_new(struct vde_switch *sw) { (void)sw; return 0; }
void capture_free(struct vde_switch *sw) { (void)sw; }
bool capture_wants(const struct vde_switch *sw, const struct port *port) { (void)sw; (void)port; return false; }
void capture_frame(struct vde_switch *sw, const struct port *port, enum capture_direction direction, const uint8_t *data, size_t len) { (void)sw; (void)port; (void)direction; (void)data; (void)len; }

int plugin_host_new(struct vde_switch *sw) { (void)sw; return 0; }
void plugin_host_free(struct vde_switch *sw) { (void)sw; }
bool plugin_host_wants_packets(const struct vde_switch *sw, bool out) { (void)sw; (void)out; return false; }
int plugin_host_packet(struct vde_switch *sw, bool out, unsigned port, uint8_t *data, int len) { (void)sw; (void)out; (void)port; (void)data; return len; }
void plugin_host_event(struct vde_switch *sw, const char *path, int argument) { (void)sw; (void)path; (void)argument; }

int sandbox_enter(struct vde_switch *sw, struct error *error) { (void)sw; (void)error; return 0; }
