/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts that are off: each function goes when its part's own file lands. */
#include <errno.h>

#include "base/util.h"
#include "vde/switch/capture.h"
#include "vde/switch/console.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/sandbox.h"
#include "vde/switch/stp.h"

const struct command_table plugin_commands, capture_commands, fstp_commands;

int stp_new(struct vde_switch *sw) { (void)sw; return 0; }
void stp_free(struct vde_switch *sw) { (void)sw; }
bool stp_enabled(const struct vde_switch *sw) { (void)sw; return false; }
int stp_enable(struct vde_switch *sw, bool on) { (void)sw; (void)on; return -EBUSY; }
int stp_vlan_added(struct vde_switch *sw, struct vlan *vlan) { (void)sw; (void)vlan; return 0; }
void stp_vlan_removed(struct vde_switch *sw, struct vlan *vlan) { (void)sw; (void)vlan; }
void stp_port_changed(struct vde_switch *sw, struct vlan *vlan, unsigned port) { (void)sw; (void)vlan; (void)port; }
enum port_state stp_port_state(const struct vde_switch *sw, const struct vlan *vlan, unsigned port) { (void)sw; (void)vlan; (void)port; return PORT_FORWARDING; }
bool stp_input(struct vde_switch *sw, struct port *port, struct vlan *vlan, const uint8_t *frame, size_t len) { (void)sw; (void)port; (void)vlan; (void)frame; (void)len; return false; }

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
